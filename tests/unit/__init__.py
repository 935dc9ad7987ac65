"""Fast tests without a desktop."""
