"""Texts that mean times, and texts that do not."""

ON_CALENDAR = {
    "daily": "*-*-* 00:00:00",
    "weekly UTC": "Mon *-*-* 00:00:00 UTC",
    "hourly": "*-*-* *:00:00",
    "20:30": "*-*-* 20:30:00",
    "Mon..Fri 20:30": "Mon..Fri *-*-* 20:30:00",
    "Mon..Fri 20:30 Europe/Berlin": "Mon..Fri *-*-* 20:30:00 Europe/Berlin",
    "sat,sun 8,20:00:30": "Sat,Sun *-*-* 08,20:00:30",
    "Monday,wed..Fri 7:05": "Mon,Wed..Fri *-*-* 07:05:00",
    "*:0/15": "*-*-* *:00,15,30,45:00",
    "*:*:20": "*-*-* *:*:20",
    "*-*-1..7 03:00": "*-*-01..07 03:00:00",
    "Mon *-*-01 3:00": "Mon *-*-01 03:00:00",
    "*-*~1 23:59": "*-*~01 23:59:00",
    "10-15": "*-10-15 00:00:00",
    "quarterly": "*-01,04,07,10-01 00:00:00",
}
"""By text: systemd's normal form."""

CRON = {
    "15 2 * * *": ("*-*-* 02:15:00",),
    "@daily": ("*-*-* 00:00:00",),
    "0 0 * * 7": ("Sun *-*-* 00:00:00",),
    "0 0 * * 0": ("Sun *-*-* 00:00:00",),
    "0 2 1 * mon": ("*-*-01 02:00:00", "Mon *-*-* 02:00:00"),
    "0 2 */2 * 1": ("Mon *-*-01,03,05,07,09,11,13,15,17,19,21,23,25,27,29,31 02:00:00",),
    "*/10 8-18 * jan-mar 1-5": ("Mon..Fri *-01..03-* 08..18:00,10,20,30,40,50:00",),
    "CRON_TZ=Europe/Berlin 0 2 * * *": ("*-*-* 02:00:00 Europe/Berlin",),
}
"""By cron's fields: the same as OnCalendar."""

NONSENSE = {
    "": "",
    "@reboot": "daily",
    "@dayly": "@daily",
    "15 2 * * * /usr/bin/restic backup": "15 2 * * *",
    "15 2 * * * restic backup /home/a%b": "15 2 * * *",
    "61 2 * * *": "",
    "CRON_TZ=Europe/Berln 0 2 * * *": "CRON_TZ=Europe/Berlin 0 2 * * *",
    "2026-01-01 10:00": "*-01-01 10:00",
    "Sat..Mon 8:00": "Sat,Sun,Mon 8:00",
    "*:*/15": "*:0/15",
    "Thorsday 10:00": "Thursday 10:00",
    "25:00": "",
    "20:30 berlin": "20:30 Europe/Berlin",
    "daily Europe/Berln": "daily Europe/Berlin",
    "every night at 20:30": "20:30",
    "1d": "daily",
    "7d": "weekly",
    "6h": "hourly",
    "*-*~31 10:00": "",
    "*-*-*T20:30": "20:30",
    "20:30\nnever": "",
}
"""By text that is no recurring time: the nearest that is."""
