"""Configured jobs: start them (`configured`), and make the first one (`first_backup`).

For the first one `choices` lists drives and folders, `targets` and `remote_room` check its target, and `engine_install` brings a
missing engine.
"""
