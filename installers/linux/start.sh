#!/bin/sh
# The main job in one command: installs Backup Tray for good, then shows it at work in a trial with a real backup.
#
#   installers/linux/start.sh [FOLDER...]
#
# FOLDER: a folder that the trial backs up, /usr/share and /usr/lib by default. Call it as yourself (it uses sudo for system packages) or as
# root. --user as the first argument: install for this user only, also as root. Calling it again is quick and harmless.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
user=""
if [ "${1:-}" = --user ]; then
    user=--user
    shift
fi
for folder; do
    case $folder in
    -*) stop 64 "start.sh: unknown option $folder." "" "Name folders only: installers/linux/start.sh [FOLDER...]" ;;
    /*) ;;
    *) stop 64 "The folder $folder is not named in full." "A backup may run from anywhere." "Write $(pwd)/$folder" ;;
    esac
    [ -e "$folder" ] || stop 66 "There is no $folder." "" "Name a folder that exists, or none for the default."
done
"$here/install.sh" $user
exec "$here/trial.sh" $user "$@"
