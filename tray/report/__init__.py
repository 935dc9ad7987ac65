"""Reports about runs, for people and for machines: what happened, what the audit log says of it, and whether that can be believed.

of_run.py, as_text.py         one run: all that is known, and as text
basis.py, summary.py          the checkpoint that a report rests on, the entries under it, the figures of a period
facts.py                      the sheet: the blocks of a report, before anything is drawn
run_facts.py, period_facts.py the sheet of a run, of a period, of a list of entries
pdf/, as_html.py              the two writers that draw a sheet: PDF (the only place that loads reportlab) and HTML
as_rows.py                    CSV and JSON Lines
create.py, save.py            a report from beginning to end; the file: complete or not at all, and on record

The content depends on the log, its baselines and the time zone alone: "as of" is when the checkpoint's last entry was recorded. So
the same checkpoint gives the same bytes.
"""

from tray.report.as_text import SHOWN_PROBLEMS, evidence, text
from tray.report.of_run import Report, find, gather, verified

__all__ = ["SHOWN_PROBLEMS", "Report", "evidence", "find", "gather", "text", "verified"]
