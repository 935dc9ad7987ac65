"""The system-wide instance: a service of root that shows root's backups to a group of users, and takes no orders from them.

It follows root's own status (and so keeps root's tracker running, which observes runs of others) and serves it on a second socket.
No message can start, stop or change anything.

server.py   folder, socket and conversations    follow.py   the status, as it changes    answers.py   questions about the past
"""
