"""The window: a process of its own that shows the status in a web view and ends when it is closed.

`app` ties the rest together. `view` and `pages` are pure. `calls` is the closed list of what a page may ask, `bridge` the only
door through which it may ask, `document` the page itself with its content security policy, `feed` what is pushed into it.

What stands behind the calls: `records` (Report), `logs` (Details), `history`, `auditlog` (entries and what identifies the log),
`trust` (checks, verification, acknowledgement), `filters` (the form above a list) and `export` (reports as files).
"""
