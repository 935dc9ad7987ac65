"""The window: a process of its own that shows the status in a web view and ends when it is closed.

app.py           the process; toolkit.py: its web view     instance.py   one window for each user, and the names of its pages
bridge.py        the document, and the only door to it     calls.py      every question that a page may ask
status_feed.py   pushes the status into the page           view.py       the status as the page shows it (pure)
lists.py         History and entries, by their form        run_pages.py  report and log of a run
audit_page.py    the log's identity, one entry             verification.py  checks and acknowledgement
export.py        reports and recovery sheets as files      create_page.py   Create First Backup
job_page.py      one job and its buttons
"""
