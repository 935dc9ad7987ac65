"""The system-wide instance: a service of root that shows root's backups to a group of users, and takes nothing from them.

It follows root's own status (and so keeps root's tracker running, which observes what others start) and serves it on a second
socket. Nothing that comes in there is passed on: there is no message that could start, stop or change anything.

place.py    folder and socket, for the group alone     follow.py   the status, as it changes
answers.py  questions about the past                    server.py   the conversations
"""
