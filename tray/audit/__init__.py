"""Keep the audit log: the durable, verifiable record of every run and of everything else that matters to it.

entry.py       one entry; canonical.py, merkle.py, checkpoint.py and ed25519.py are its bytes, hashes and signature
store.py       the log in SQLite, for all who read or write it; rows.py, schema.py and database.py are its tables and connection
append.py      place, chain, tree and signature of new entries; a new log
spool.py       how every process records, and where records wait while the log cannot take them
keys.py        the signing key; rotation.py replaces it       near_copy.py   the checkpoint beside the configuration
last_check.py  the result of the last verification            segments.py    closed parts of the log, and pruning
redact.py      erase the details of one entry                 proof.py       one entry that proves itself
verify         check everything                               search         find entries
tlog.py        export for other tools                         salvage        read the rest of a damaged log
standalone.py  check exports with nothing else of ours; FORMAT.md describes the bytes

Nothing is imported here: write `from tray.audit import spool`.
"""
