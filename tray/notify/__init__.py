"""Tell people and their tools of failures, overdue backups and recoveries: one queue, several channels.

news.py      which events the status brings, compared with what was told before; pure
rules.py     which event goes to which channel, and when; pure
queue.py     the durable queue: events, messages, and what was told, in one SQLite file
sender.py    the short-lived process that fills the queue and empties it; nothing waits for it
channels/    one module a kind of channel
"""
