"""Configured jobs: start them (`configured`), and make the first one (`first_backup`)."""
