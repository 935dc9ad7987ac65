"""Show notices on a desktop that follows freedesktop.org's Desktop Notifications, and do the work of their buttons.

notices.py               the notices that a message asks for: words, urgency, buttons; pure
notification_server.py   one connection to the program that shows them
shown_notices.py         remembers them, so that a later process replaces or withdraws them
clicks.py                starts the commands of their buttons
trial.py                 shows the test message for a minute
"""
