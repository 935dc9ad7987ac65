"""Configured jobs: the first one is made and started here."""
