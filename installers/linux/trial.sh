#!/bin/sh
# A trial of the installed program with a real backup by restic, in a state folder of its own, so it never mixes with real records.
#
#   installers/linux/trial.sh [--user] [FOLDER...]
set -eu
umask 077
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
kind=user
[ "$(id -u)" != 0 ] || kind=system
if [ "${1:-}" = --user ]; then
    kind=user
    shift
fi
places "$kind"
WATCHABLE=0
[ "$#" -gt 0 ] || {
    set -- /usr/share /usr/lib
    WATCHABLE=25 # the first backup lasts at least so many seconds, so that the user can watch it
}

mkdir -p "$TRIAL"
: >"$TRIAL/this-is-the-trial" # the window says so
export BACKUP_TRAY_HOME="$TRIAL" RESTIC_CACHE_DIR="$TRIAL/cache" # the trial leaves nothing outside of its folder
unset RESTIC_REPOSITORY RESTIC_REPOSITORY_FILE RESTIC_PASSWORD RESTIC_PASSWORD_FILE RESTIC_PASSWORD_COMMAND
repository=$TRIAL/repository password=$TRIAL/password
restic() { command restic --repo "$repository" --password-file "$password" --quiet "$@"; }

step "A trial, kept apart in $TRIAL"
if "$LAUNCHER" audit show --limit 1 2>&1 | grep -q "from before the first release"; then
    say "An older version made the trial's record, in a format that is not read any more. It goes, and a new one begins."
    rm -rf "$TRIAL/state" "$TRIAL/config" "$TRIAL/checkpoint"
fi
# Leave out files that this user cannot read: they would make the first backup end with a warning.
find "$@" -xdev ! -type l \( ! -readable -o -type d ! -executable \) -prune -print 2>/dev/null |
    sed 's/[][*?\\]/\\&/g; s/\$/$$/g' >"$TRIAL/excluded" || true
printf '%s\n' "$TRIAL" >>"$TRIAL/excluded"
left=$(($(wc -l <"$TRIAL/excluded") - 1))
[ "$left" -eq 0 ] || say "Files and folders that $(id -un) may not read, left out of the trial: $left"

set -- --exclude-file "$TRIAL/excluded" --exclude-caches "$@"
if ! { [ -e "$TRIAL/passed" ] && restic cat config >/dev/null 2>&1; }; then
    rm -rf "$repository" "$TRIAL/passed"
    "$VENV/bin/python" -I -c 'from tray.jobs.first_backup import generate_password; print(generate_password())' >"$password"
    restic init >/dev/null || stop 73 "The trial's repository could not be made." "restic said so above." "See: df -h $TRIAL"
    # restic compresses such files to about a third. On a quick machine the trial slows restic down, so that the user can watch it.
    size=$(shift 3; du -skxc -- "$@" 2>/dev/null | tail -n 1 | cut -f 1)
    free=$(df -Pk "$TRIAL" | awk 'NR == 2 { print $4 }')
    [ "$free" -gt "$((size + 100000))" ] || stop 73 "There is too little free space for the trial." \
        "The folders hold $((size / 1024)) MiB, and $TRIAL has $((free / 1024)) MiB free." "Name a smaller folder: installers/linux/start.sh FOLDER"
    if [ "$WATCHABLE" -gt 0 ] && [ "$size" -lt 4000000 ]; then
        set -- --limit-upload "$((size * 36 / 100 / WATCHABLE + 64))" --pack-size 4 -o local.connections=2 "$@"
        say "The first backup is slowed down to about $WATCHABLE s, so that you can watch it; yours will run at full speed."
    fi
fi

if has_display; then
    . "$here/trial_desktop.sh"
    show
fi

step "The backup: backup-tray run --job trial -- restic backup ..."
code=0
"$LAUNCHER" run --job trial -- restic backup --repo "$repository" --password-file "$password" "$@" || code=$?
[ "$code" -eq 0 ] || [ "$code" -eq 3 ] || stop "$code" "The trial's backup failed." "See above." "More: BACKUP_TRAY_HOME='$TRIAL' '$LAUNCHER' log last"

touch "$TRIAL/passed"

step "Its record: backup-tray report last"
"$LAUNCHER" report last

step "Is the record genuine? backup-tray audit verify"
# The next trial compares the log with this checkpoint; keep yours on another disk.
if [ -s "$TRIAL/checkpoint" ]; then
    "$LAUNCHER" audit verify --checkpoint "$TRIAL/checkpoint" || stop $? "The trial's audit log could not be verified." "See above." \
        "Begin anew: rm -r '$TRIAL'"
else
    verified=0
    "$LAUNCHER" audit verify || verified=$?
    [ "$verified" -eq 0 ] || [ "$verified" -eq 3 ] || stop "$verified" "The trial's audit log could not be verified." "See above." \
        "Begin anew: rm -r '$TRIAL'"
fi
"$LAUNCHER" audit checkpoint >"$TRIAL/checkpoint"

command=backup-tray
[ "$(command -v backup-tray || true)" = "$LAUNCHER" ] || command=$LAUNCHER
step "Begin for real"
say "Put this before the backup command that you have, in a terminal, crontab, script or systemd unit:"
say ""
say "    $LAUNCHER run --"
say ""
say "as in:  $LAUNCHER run -- restic backup ~/Documents"
say "No backup yet?  $command create"
say "Backups fine?   $command status"
say "All set up?     $command doctor"
say "Remove it all:  $PREFIX/uninstall.sh   (your audit log stays)"
if has_display; then still_shown; fi
