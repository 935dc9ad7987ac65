"""The window: a process of its own that shows the status in a web view and ends when it is closed.

`app` ties the rest together. `view` and `page_names` are pure. `calls` is the closed list of what a page may ask, `bridge` the only
door through which it may ask, `document` the page itself with its content security policy, `status_feed` what is pushed into it.

What stands behind the calls: `report_page`, `log_page` (Details), `history_page`, `audit_page` (entries and what identifies the
log), `verification` (checks, verification, acknowledgement), `filters` (the form above a list) and `export` (reports as files).
"""
