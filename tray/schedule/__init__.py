"""Have the system's own scheduler start jobs: systemd's timers, cron where there is no systemd, and files for macOS and Windows.

A `Plan` describes a schedule once; each scheduler has a module that translates it: `systemd` (with `units`), `cron`, `launchd`,
`task_scheduler`. All of them call `backup-tray backup --scheduled JOB`. There is no loop of our own, so no tray need run.
"""
