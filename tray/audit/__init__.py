"""The audit log: the durable, verifiable record of what happened.

entry.py       one entry; canonical.py, merkle.py and checkpoint.py are its bytes, hashes and signature, without I/O
store.py       the log in SQLite, for all who read or write it; rows.py, schema.py and database.py are its tables and connection
append.py      place, chain, tree and signature of new entries; create.py begins a log
spool.py       how every process records, and where records wait that the log cannot take just now
keys.py        the signing key; rotation.py replaces it       near_copy.py   the checkpoint beside the configuration
last_check.py  the result of the last verification            tiles.py       roots and proofs of earlier sizes
segments.py    closed parts of the log                        prune.py       remove the oldest of them
redact.py      erase the details of one entry                 proof.py       one entry that proves itself
verify         check everything                               search         find entries
tlog           export for other tools                         salvage        read what is left of a damaged log
standalone.py  check exports with nothing else of ours; FORMAT.md says what the bytes mean

Nothing heavy is imported here: write `from tray.audit import spool`.
"""
