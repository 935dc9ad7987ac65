"""Reports about runs, for people and for machines: what happened, what the audit log says of it, and whether that can be believed.

create.py    makes a report from beginning to end: read, lay out, write, put on record
of_run.py    all that is known of one run           summary.py   what a period came to
basis.py     the checkpoint that a report rests on, and the entries up to it
facts.py     the facts of one run in words, for every kind of page
as_text.py   text                                   as_html.py   one HTML page
as_rows.py   CSV and JSON Lines                     pdf          PDF, the only place that loads reportlab
cells.py     the cells of a run's row in PDF and HTML
save.py      the file: complete or not at all, and on record

The content depends on the log, its baselines and the time zone alone: "as of" is when the checkpoint's last entry was recorded. So
the same checkpoint gives the same bytes.
"""

from tray.report.as_text import SHOWN_PROBLEMS, evidence, text
from tray.report.of_run import Report, find, gather, verified

__all__ = ["SHOWN_PROBLEMS", "Report", "evidence", "find", "gather", "text", "verified"]
