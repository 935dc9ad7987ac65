"""Reports about runs, for people and for machines: what happened, what the audit log says of it, and whether that can be believed.

run.py, plain.py      one run: all that is known, and as text
base.py, summary.py   the checkpoint that a report rests on, the entries that it is about, what a period came to
sheet.py              the facts of one run in words, for every kind of page
pdf/, web.py          pages: PDF (the only place that loads reportlab) and HTML
rows.py               CSV and JSON Lines
write.py              the file: complete or not at all, and on record

The content depends on the log, its baselines and the time zone alone: "as of" is when the checkpoint's last entry was recorded. So
the same checkpoint gives the same bytes.
"""

from tray.report.as_text import SHOWN_PROBLEMS, evidence, text
from tray.report.of_run import Report, find, gather, verified

__all__ = ["SHOWN_PROBLEMS", "Report", "evidence", "find", "gather", "text", "verified"]
