# Functions that the scripts of this folder share; read with `.`, not run.
#
# Layout of an installation:            a user's                              root's
#   program (a venv of /usr/bin/python3)  $XDG_DATA_HOME/backup-tray/venv       /usr/local/lib/backup-tray/venv
#   command                               ~/.local/bin/backup-tray              /usr/local/bin/backup-tray
#   menu entry                            $XDG_DATA_HOME/applications           /usr/local/share/applications
#   start with the session                $XDG_CONFIG_HOME/autostart            /etc/xdg/autostart
#   service                               none                                  /etc/systemd/system/backup-tray.service
#   trial                                 $XDG_DATA_HOME/backup-tray/trial      /var/lib/backup-tray-trial

# The user's Python settings must not reach our program: in many a PATH pyenv, conda or a virtual environment comes first.
unset PYTHONHOME PYTHONPATH PYTHONSTARTUP VIRTUAL_ENV PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV
PYTHON=/usr/bin/python3
MARK="Backup Tray installed this file"

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }

# stop CODE WHAT WHY NEXT: prints what happened, why and what to do, and ends the script.
stop() {
    printf '\nbackup-tray: %s\n' "$2" >&2
    [ -z "$3" ] || printf '  why:  %s\n' "$3" >&2
    [ -z "$4" ] || printf '  next: %s\n' "$4" >&2
    exit "$1"
}

# places user|system: sets the folders of the installation. Root's HOME comes from the password database, since sudo may keep the caller's.
places() {
    if [ "$1" = system ]; then
        HOME=$(getent passwd 0 | cut -d: -f6)
        export HOME
        PREFIX=/usr/local/lib/backup-tray BIN=/usr/local/bin MENU=/usr/local/share/applications
        AUTOSTART=/etc/xdg/autostart TRIAL=/var/lib/backup-tray-trial
    else
        [ -n "${HOME:-}" ] || HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
        export HOME
        PREFIX=${XDG_DATA_HOME:-$HOME/.local/share}/backup-tray BIN=$HOME/.local/bin
        MENU=${XDG_DATA_HOME:-$HOME/.local/share}/applications
        AUTOSTART=${XDG_CONFIG_HOME:-$HOME/.config}/autostart TRIAL=$PREFIX/trial
    fi
    VENV=$PREFIX/venv LAUNCHER=$BIN/backup-tray
}

has_display() { [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; }

# has_desktop: succeeds if this machine has a screen now, or a desktop is installed.
has_desktop() {
    has_display && return
    for entry in /usr/share/xsessions/*.desktop /usr/share/wayland-sessions/*.desktop; do
        [ ! -e "$entry" ] || return 0
    done
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then sudo "$@"
    else stop 77 "System packages are missing and only root can install them." "You are not root, and there is no sudo." \
        "Ask an administrator to run: apt-get install -y --no-install-recommends $MISSING"
    fi
}

# missing_debs PACKAGE...: prints the packages that are not installed.
missing_debs() {
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
    done
}

# apt_install PACKAGE...: installs missing packages; asks nothing, waits for another apt, and uses no network if all are there.
apt_install() {
    MISSING=$(missing_debs "$@")
    [ -n "$MISSING" ] || return 0
    step "Installing system packages: $MISSING"
    apt() { as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }
    apt update || say "The package lists could not all be refreshed; going on with those that are here."
    output=$(mktemp)
    # shellcheck disable=SC2086 # a list of words
    if ! apt install -y --no-install-recommends -o Dpkg::Use-Pty=0 $MISSING >"$output" 2>&1; then
        tail -n 15 "$output" >&2
        rm -f "$output"
        stop 69 "System packages could not be installed." "apt-get said so above." \
            "Try by hand: sudo apt-get install $MISSING"
    fi
    rm -f "$output"
}

python_is_new_enough() { "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# need_other_system: without apt, goes on if every package is there already, else names the packages and stops.
need_other_system() {
    missing=""
    "$PYTHON" -c 'import ensurepip' 2>/dev/null || missing="$missing python"
    command -v restic >/dev/null 2>&1 || missing="$missing restic"
    if has_desktop; then
        "$PYTHON" -c 'import gi; gi.require_version("Gtk", "3.0"); gi.require_version("WebKit2", "4.1")' 2>/dev/null ||
            missing="$missing webkit"
    fi
    [ -n "$missing" ] || return 0
    if command -v dnf >/dev/null 2>&1; then how="sudo dnf install python3 python3-pip python3-gobject gtk3 webkit2gtk4.1 restic"
    elif command -v pacman >/dev/null 2>&1; then how="sudo pacman -S python python-pip python-gobject gtk3 webkit2gtk-4.1 restic"
    elif command -v zypper >/dev/null 2>&1; then
        how="sudo zypper install python3 python3-pip python3-gobject typelib-1_0-Gtk-3_0 typelib-1_0-WebKit2-4_1 restic"
    else how="install Python 3.11 or later with venv, PyGObject, GTK 3, WebKit2GTK 4.1 and restic with your system's tools"
    fi
    stop 69 "This system has no apt, and these are missing:$missing." "Only Debian and Ubuntu packages are installed by this script." \
        "$how  (then call this script again)"
}

# fingerprint CHECKOUT: prints one word that changes with every change of the program.
fingerprint() {
    (cd "$1" && find pyproject.toml README.md LICENSE tray assets -type f ! -name '*.pyc' -exec sha256sum {} + | LC_ALL=C sort | sha256sum |
        cut -d' ' -f1)
}

# ours VERB...: prints the pids of processes that run our program from $VENV with one of these commands ("tray" also without one).
ours() {
    for file in $(grep -lzsxF -e "$VENV/bin/python" -e "$VENV/bin/python3" /proc/[0-9]*/cmdline || true); do
        line=$(tr '\0' ' ' <"$file" 2>/dev/null) || continue
        for verb; do
            case "$verb:$line" in
            *:*" -m tray $verb "* | *:*"/tray/__main__.py $verb "* | "tray:"*" -m tray " | "tray:"*"/tray/__main__.py ") printf '%s ' "$(echo "$file" | cut -d/ -f3)" && break ;;
            esac
        done
    done
}

# born PID: prints when the process started; with the pid it names one process for good. Prints nothing once it has ended.
born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" && $1 != "X" { print $20 }'; }

# left PID:BORN...: prints the processes that still run.
left() {
    for named; do
        if [ "$(born "${named%:*}")" = "${named#*:}" ]; then printf '%s ' "$named"; fi
    done
}

# signalled SIGNAL PID:BORN...: signals the processes that still run, and waits until they are gone, at most PATIENCE seconds.
signalled() {
    signal=$1
    shift
    for named; do kill -s "$signal" "${named%:*}" 2>/dev/null || true; done
    waited=0
    # shellcheck disable=SC2046 # a list of words
    while [ -n "$(left "$@")" ] && [ "$waited" -lt $((${PATIENCE:-5} * 10)) ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
}

# end_ours VERB...: ends the processes of our program with these commands for certain, also those that hang, and those that they
# started meanwhile. Fails if one is left.
end_ours() {
    for _ in 1 2 3; do
        there=$(for pid in $(ours "$@"); do printf '%s:%s ' "$pid" "$(born "$pid")"; done)
        # shellcheck disable=SC2086 # a list of words
        there=$(left $there)
        [ -n "$there" ] || return 0
        # shellcheck disable=SC2086 # a list of words
        signalled TERM $there
        there=$(left $there)
        # shellcheck disable=SC2086 # a list of words
        [ -z "$there" ] || signalled KILL $there
    done
    [ -z "$(ours "$@")" ]
}

# renew_ours VERB...: ends the processes with these commands, and starts each again with the same user, environment and command.
renew_ours() {
    kept=$(mktemp -d)
    for pid in $(ours "$@"); do
        if cp "/proc/$pid/environ" "$kept/$pid.environ" 2>/dev/null && cp "/proc/$pid/cmdline" "$kept/$pid.cmdline"; then
            stat -c '%u %g' "/proc/$pid" >"$kept/$pid.user"
        fi
    done
    end_ours "$@" || say "Processes of the old program could not be ended: $(ours "$@")"
    for file in "$kept"/*.user; do
        [ -e "$file" ] || continue
        # A tray or a command starts its own tracker (--idle-exit) again.
        if tr '\0' '\n' <"${file%.user}.cmdline" | grep -qx -e --idle-exit; then continue; fi
        read -r uid gid <"$file"
        become=""
        [ "$uid" = "$(id -u)" ] || become="setpriv --reuid=$uid --regid=$gid --init-groups"
        # shellcheck disable=SC2016,SC2086 # the inner shell's variables; a list of words
        xargs -0 -a "${file%.user}.environ" sh -c 'cmdline=$1 become=$2; shift 2
            cd /; xargs -0 -a "$cmdline" setsid -f $become env -i "$@" </dev/null >/dev/null 2>&1' sh "${file%.user}.cmdline" "$become" ||
            say "A process of the program did not start again: $(tr '\0' ' ' <"${file%.user}.cmdline")"
    done
    rm -rf "$kept"
}
