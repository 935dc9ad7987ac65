"""The status as figures that monitoring systems read: `backup-tray metrics`, and a file for Prometheus that stays up to date.

openmetrics.py  the figures of a status, and their text
textfile.py     the file that [metrics] in config.toml names, for the textfile collector of Prometheus' node-exporter
"""
