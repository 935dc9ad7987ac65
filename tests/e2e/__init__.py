"""Tests with real programs: restic, a desktop, WebKit."""
