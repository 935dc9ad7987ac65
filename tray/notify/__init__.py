"""Tell people and their tools of failures, overdue backups and recoveries: one queue, several channels.

news.py      the events that a status brings, compared with those told before; pure
rules.py     the channels that get an event, and the moment; pure
queue.py     the durable queue: events, messages, and the memory of the news; queue_store.py is its file, queue_file.py opens it
fill.py      from the present status into the queue           wakes.py    since when the machine is awake
sender.py    the short-lived process that does both; nothing waits for it. worker.py is the thread of one channel in it
outages.py   the channels that send nothing
alive.py     that Backup Tray itself is at work, once an hour  present_state.py  changes of which no event tells, for Home Assistant
secrets.py   the secret of a channel                          snooze.py   a rest for the messages about a job
tls.py       the check of certificates
digest.py    how every job is, once a week                    four_weeks.py  its calendar
channels/    one module a kind of channel; those with more to do have a folder: mail/, desktop/, mqtt/
"""
