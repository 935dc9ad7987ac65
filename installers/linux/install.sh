#!/bin/sh
# Installs Backup Tray for good, from this checkout; the checkout can go afterwards.
#
#   installers/linux/install.sh [--user | --system]
#
# Called by root it installs for all users, else for the caller; --user: for the caller, also as root; --system: for all users (root only). For
# all users it also sets up the service that shows root's backups to the members of the group backup-tray, read-only. Calling it again
# brings the installation up to date and is quick if nothing changed. Asks nothing. Exit codes: 0 done, 69 something is missing that
# it cannot install, 73 a file in the way, 75 a backup is running, 77 not allowed.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
. "$here/common.sh"

kind=user
[ "$(id -u)" != 0 ] || kind=system
case ${1:-} in
--user) kind=user ;;
--system) [ "$kind" = system ] || stop 77 "Only root can install it for everybody." "" "sudo $0 --system" ;;
"") ;;
*) stop 64 "install.sh: unknown option $1." "" "Call it without one, or with --user or --system." ;;
esac
places "$kind"

# 1. The packages of the system.
if command -v apt-get >/dev/null 2>&1; then
    wanted="ca-certificates python3 python3-venv"
    command -v restic >/dev/null 2>&1 || wanted="$wanted restic"
    if has_desktop; then
        wanted="$wanted python3-gi gir1.2-gtk-3.0 gir1.2-webkit2-4.1"
    else
        say "No desktop here, so the packages of the window are left out. Call this again once there is one."
    fi
    # shellcheck disable=SC2086 # a list of words
    apt_install $wanted
else
    need_other_system
fi
python_is_new_enough || stop 69 "Python 3.11 or later is needed as $PYTHON." "Found: $("$PYTHON" --version 2>&1 || true)" \
    "Use Debian 12, Ubuntu 24.04 or later."

# 2. The program.
changed=""
new=$(fingerprint "$checkout")
healthy() { "$VENV/bin/python" -I -c 'import tray.cli.main, tray.core.paths; assert tray.core.paths.assets().is_dir()' 2>/dev/null; }
if [ "$(cat "$PREFIX/fingerprint" 2>/dev/null)" = "$new" ] && healthy; then
    say "Backup Tray is installed already and up to date."
else
    running=$(ours run backup)
    [ -z "$running" ] || stop 75 "A backup is running right now (process $running)." \
        "Changing the program under it could lose its record." "Wait until it is over, then try again."
    step "Installing Backup Tray into $VENV"
    mkdir -p "$PREFIX"
    rm -f "$PREFIX/fingerprint"
    # --clear also mends a venv whose Python went away with an upgrade of the system.
    healthy || "$PYTHON" -m venv --clear --system-site-packages "$VENV"
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    pip() { "$VENV/bin/python" -m pip -qq --disable-pip-version-check --no-input "$@"; }
    {
        pip wheel --no-deps --wheel-dir "$wheels" "$checkout" &&
            pip install "$wheels"/*.whl && pip install --no-deps --force-reinstall "$wheels"/*.whl
    } || stop 69 "The Python packages could not be installed." "pip said so above." \
        "Check the network, then try again; nothing else was changed."
    healthy || stop 70 "The installed program does not start." "See: $VENV/bin/python -I -c 'import tray.cli.main'" "Please report this."
    printf '%s\n' "$new" >"$PREFIX/fingerprint"
    changed=changed
fi

# 3. The command, the menu entry, the start with the session, the uninstaller.
mkdir -p "$BIN" "$MENU" "$AUTOSTART"
if [ -e "$LAUNCHER" ] && ! grep -q "$MARK" "$LAUNCHER"; then
    stop 73 "$LAUNCHER exists and is not ours." "" "Move it away, then try again."
fi
for_shell() { printf '%s' "$1" | sed "s/'/'\\\\''/g"; }
quoted=$(for_shell "$VENV/bin/python")
program=$(for_shell "$("$VENV/bin/python" -I -c 'from tray.core.ourselves import PROGRAM; print(PROGRAM)')")
cat >"$LAUNCHER.new" <<END
#!/bin/sh
# $MARK. -I: whatever Python settings the caller has stay the caller's.
if [ -x '$quoted' ] && [ -f '$program' ]; then
    exec '$quoted' -I '$program' "\$@"
fi
# An upgrade of the system can take our Python away. No backup may fail because of that.
if [ "\${1-}" = run ]; then
    shift
    while :; do
        case \${1-} in
        --) shift && break ;;
        --job | --engine) shift && [ \$# -gt 0 ] && shift ;;
        -?*) shift ;;
        *) break ;;
        esac
    done
    if [ \$# -gt 0 ]; then
        echo "backup-tray: this run is neither watched nor on record: the program is damaged; install it anew." >&2
        exec "\$@"
    fi
fi
echo "backup-tray: the program is damaged, perhaps by an upgrade of the system; install it anew." >&2
exit 70
END
chmod 755 "$LAUNCHER.new"
mv -f "$LAUNCHER.new" "$LAUNCHER"
icon=$("$VENV/bin/python" -I -c 'from tray.core.paths import assets; print(assets() / "icons" / "backup-tray.svg")')
entry() { # entry FILE COMMAND EXTRA-LINE
    cat >"$1.new" <<END
# $MARK.
[Desktop Entry]
Type=Application
Version=1.0
Name=Backup Status
Comment=You always know whether your backups are fine
Exec="$LAUNCHER" $2
TryExec=$LAUNCHER
Icon=$icon
Terminal=false
Categories=Utility;System;
Keywords=backup;restic;status;audit;
StartupNotify=false
$3
END
    chmod 644 "$1.new"
    mv -f "$1.new" "$1"
}
entry "$MENU/backup-tray.desktop" "window dashboard" "X-Backup-Tray=menu"
# If the user switched the start with the session off (Hidden=true), it stays off.
grep -qs '^Hidden=true' "$AUTOSTART/backup-tray.desktop" || entry "$AUTOSTART/backup-tray.desktop" tray "X-GNOME-Autostart-enabled=true"
cp "$here/common.sh" "$here/uninstall.sh" "$here/service.sh" "$PREFIX/"
printf '%s\n' "$kind" >"$PREFIX/kind"
if [ -n "$changed" ]; then
    # The running processes are the old program's. systemd restarts its service itself.
    end_ours tray.notify.sender || say "A process that sends messages could not be ended." # icon and runs start another one
    verbs="tray window tracker"
    [ -d /run/systemd/system ] || verbs="$verbs system"
    # shellcheck disable=SC2086 # a list of words
    if [ -n "$(ours $verbs)" ]; then
        say "Icon, window and tracker that run now are replaced by the new program."
        renew_ours $verbs
    fi
fi
[ "$kind" = user ] || "$here/service.sh" install $changed

say "Installed: $LAUNCHER"
case :$PATH: in
*":$BIN:"*) ;;
*) say "Note: $BIN is not in your PATH yet; on most systems it is after the next login." ;;
esac
