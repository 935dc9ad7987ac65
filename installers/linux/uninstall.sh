#!/bin/sh
# Removes the program, its command, menu entry, start with the session, service, and the trial. Leaves what is yours: the audit log,
# the configuration and the passwords of your repositories; says where they are.
#
#   uninstall.sh [--user]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

kind=user
[ "$(id -u)" != 0 ] || kind=system
[ ! -f "$here/kind" ] || kind=$(cat "$here/kind")
[ "${1:-}" != --user ] || kind=user
places "$kind"
[ "$kind" = user ] || [ "$(id -u)" = 0 ] || stop 77 "This installation belongs to everybody on this machine." "" "sudo $PREFIX/uninstall.sh"

running=$(ours run backup)
[ -z "$running" ] || stop 75 "A backup is running right now (process $running)." "Its record is written by the program." \
    "Wait until it is over, then try again."
kept=""
if [ -x "$VENV/bin/python" ]; then
    kept=$("$VENV/bin/python" -I -c 'from tray.core.paths import places; p = places(); print(p.state); print(p.config)' 2>/dev/null) || kept=""
fi
# A timer without the program would fail each night. Root's timers are the system's, so they go with the system's installation only.
if [ -n "$kept" ] && [ -x "$LAUNCHER" ] && grep -q "$MARK" "$LAUNCHER" && { [ "$kind" = system ] || [ "$(id -u)" != 0 ]; }; then
    "$LAUNCHER" schedule --remove --all >/dev/null 2>&1 || say "Schedules may be left: look with \`systemctl --user list-timers\` and \`crontab -l\`."
fi
[ "$kind" = user ] || "$here/service.sh" remove
end_ours system tray window tracker tray.notify.sender ||
    say "Still running, and not ended: process $(ours system tray window tracker tray.notify.sender)(of another user?)"
for file in "$LAUNCHER" "$MENU/backup-tray.desktop" "$AUTOSTART/backup-tray.desktop"; do
    if [ -f "$file" ] && grep -q "$MARK" "$file"; then rm -f "$file"; fi
done
rm -rf "$VENV" "$TRIAL"
rm -f "$PREFIX/fingerprint" "$PREFIX/kind" "$PREFIX/common.sh" "$PREFIX/uninstall.sh" "$PREFIX/service.sh"
rmdir "$PREFIX" 2>/dev/null || true
say "Backup Tray is removed. System packages that it uses (restic, WebKit) stay."
printf '%s\n' "${kept:-}" | while read -r folder; do
    if [ -n "$folder" ] && [ -d "$folder" ]; then say "Kept, since it is yours: $folder"; fi
done
