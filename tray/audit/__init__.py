"""The audit log: the durable, verifiable record of what happened.

`entry`, `tree` and `checkpoint` are pure format and hashing; `schema` and `store` keep it in SQLite, `spool` takes the records that
the log cannot take just now, `verify` checks everything. Nothing heavy is imported here: write `from tray.audit import spool`.
"""
