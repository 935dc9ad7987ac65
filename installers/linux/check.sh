#!/bin/sh
# Sets up everything that the tests need and passes them all: lint, types, layers, unit and end-to-end tests.
#
#   installers/linux/check.sh [ARGUMENTS OF PYTEST...]
#
# Needs apt (as root, or with sudo) where something is missing; touches nothing outside of the checkout besides system packages.
# Works without a screen. The last line is pytest's own. How much of the program the tests reach is measured, in twice the time, with:
# check.sh --cov=tray --cov-branch --cov-report=term
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
. "$here/common.sh"
export LANG=C.UTF-8
unset PYTHONDONTWRITEBYTECODE # the tests start the program some thousand times: each start takes half the time with bytecode

if command -v apt-get >/dev/null 2>&1; then
    # The product; a desktop without a screen; the driver of the web view; tools that tests use (dunstctl asks systemd's busctl).
    apt_install ca-certificates python3 python3-venv python3-gi gir1.2-gtk-3.0 gir1.2-webkit2-4.1 \
        restic borgbackup borgmatic rclone rsync duplicity rdiff-backup dar faketime strace locales \
        gcc pkg-config python3-dev libacl1-dev libssl-dev liblz4-dev libzstd-dev libxxhash-dev zstd \
        xvfb dbus dbus-x11 xfce4-panel trayer openbox dunst xfce4-notifyd mako-notifier sway xdotool imagemagick x11-utils libglib2.0-bin xfconf adwaita-icon-theme \
        librsvg2-common at-spi2-core fonts-dejavu-core webkit2gtk-driver systemd libpam-systemd dbus-user-session cron anacron libxml2-utils \
        backintime-common duply rsnapshot prometheus prometheus-node-exporter prometheus-alertmanager icinga2-bin mosquitto mosquitto-clients gnome-keyring libsecret-tools postfix openssh-server sudo passwd git procps
else
    need_other_system
fi
python_is_new_enough || stop 69 "Python 3.11 or later is needed as $PYTHON." "" "Use Debian 12, Ubuntu 24.04 or later."

venv=.venv-test
new=$(sha256sum pyproject.toml "$0" | cut -c 1-64)
if [ "$(cat "$venv/made-from" 2>/dev/null)" != "$new" ] || ! "$venv/bin/python" -c 'import pytest, tray' 2>/dev/null; then
    step "Making $venv"
    rm -rf "$venv"
    "$PYTHON" -m venv --system-site-packages "$venv"
    "$venv/bin/python" -m pip -qq --disable-pip-version-check --no-input install -e '.[test,check,fuzz]' ||
        stop 69 "The Python packages could not be installed." "pip said so above." "Check the network, then try again."
    printf '%s\n' "$new" >"$venv/made-from"
fi
bin=$PWD/$venv/bin
# The languages that tests run engines in; the system's own list of locales stays as it is (tests/conftest.py sets LOCPATH).
for language in de_DE fr_FR; do
    [ -d "$venv/locale/$language.UTF-8" ] || { mkdir -p "$venv/locale" && localedef -i "$language" -f UTF-8 "$venv/locale/$language.UTF-8"; }
done

# Newer engines than the system's are built meanwhile; the tests that need them wait for that.
"$bin/python" -m tests.e2e.newer >/dev/null 2>&1 &
# Compiled once, also for pytest's assertions, or each of the processes below would compile all files by itself.
{ "$bin/python" -m compileall -q tray; "$bin/python" -m pytest -p no:cacheprovider --collect-only -q; } >/dev/null 2>&1 &
compiling=$!
step "Lint"
"$bin/ruff" check .
step "Types: Linux, Windows, macOS"
for platform in linux win32 darwin; do "$bin/mypy" --platform "$platform" --cache-dir ".mypy_cache/$platform"; done
step "Layers"
"$bin/lint-imports" | sed -n '/^Contracts$/,$p'
wait "$compiling" || : # what is wrong there, the tests say
step "Tests"
# Most of the time a test waits for something: four at a time, and who is done takes over from the others.
exec "$bin/python" -m pytest -p tests.no_skips -p tests.nothing_left -n 4 --dist worksteal "$@"
