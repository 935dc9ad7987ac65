"""What is kept of the log, or told about it, outside its folder, where whoever replaces the log does not reach.

`baselines` keeps the newest checkpoint in the configuration's folder, `far` in further places, `forward` sends new entries to a
system's log, whose languages are in `systemlog`; `outages` remembers how far each place has got. Nothing is imported here: the
wrapper of a backup needs `baselines` only.
"""
