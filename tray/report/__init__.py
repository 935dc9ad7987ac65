"""Reports about runs, for people and for machines: what happened, what the audit log says of it, and whether that can be believed.

of_run.py, of_period.py   collect what is known of one run, of a period or of a list of entries, and say it as a sheet
facts.py                  the sheet: the blocks of a report, before a writer draws it
as_text.py, as_html.py,   the writers that draw a sheet; only pdf/ loads reportlab
pdf/
as_json.py                the same blocks, for programs
as_rows.py                CSV and JSON Lines
job_rhythms.py            how the jobs kept their rhythms: on_times.py tells when each was on,
                          expected_blocks.py says it
basis.py                  the checkpoint that a report rests on, and the entries under it
create.py, save.py        a report from beginning to end; the file: complete or not at all, and on record

The content depends on the log, its baselines and the time zone: "as of" is when the checkpoint's last entry was recorded. Expected
backups depend on config.toml and the record of awake times too, and a period that is not over ends now. For a checkpoint that the
user names it ends with the checkpoint: so the same checkpoint gives the same bytes while those stay the same.
"""
