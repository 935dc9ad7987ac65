"""Schedules: the times, the files of each scheduler, and the way to it."""
