"""The audit log: the durable, verifiable record of what happened.

Format and hashing are pure: `entry`, `canonical`, `tree`, `checkpoint`, `bodies`. SQLite keeps the log: `schema`, `database`,
`create`, `migrate`, `append`, `tiles`, and `store`, through which everybody reads and writes. `spool` is how everybody records, and
where records wait that the log cannot take just now. `keys` and `rotation` are about who signs; `segments`, `prune` and `redact`
about what is kept.

Packages: `verify` checks everything (`standing` remembers what came of it), `search` finds entries, `outside` keeps checkpoints and
sends entries where the log is not, `tlog` and `proof` hand parts out in formats that other tools read, and `salvage` reads what is
left of a damaged log. `standalone` needs nothing else of ours. FORMAT.md says what the bytes mean.

Nothing heavy is imported here: write `from tray.audit import spool`.
"""
