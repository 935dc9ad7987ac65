"""PDF by reportlab's platypus and graphics: the only place that loads it, in the short-lived process of `backup-tray report`.

story.py   a sheet as a story of flowables, and the pages with head, foot and number
flowables.py  text in its room, signs, tables of rows    charts.py  bars and calendar    fonts.py  which font has a character
"""

from tray.report.pdf.story import written

__all__ = ["written"]
