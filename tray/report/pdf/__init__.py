"""PDF by reportlab's canvas: the only place that loads it, in the short-lived process of `backup-tray report`.

canvas.py  a page: fonts, text that fits, shapes, foot      charts.py  bars and calendar      pages.py  one run, a period, entries
"""

from tray.report.pdf.pages import of_entries, of_period, of_run

__all__ = ["of_entries", "of_period", "of_run"]
