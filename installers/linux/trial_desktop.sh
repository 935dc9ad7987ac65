# The part of the trial that needs a screen; read by trial.sh with `.`.

# shown NAME WHAT READY...: waits until READY succeeds; stops with what the process NAME said if it ended or never got so far.
shown() {
    name=$1 what=$2
    shift 2
    started=$(date +%s)
    until "$@" >/dev/null 2>&1; do
        age=$(($(date +%s) - started))
        if [ "$age" -ge 20 ] || { [ "$age" -ge 3 ] && [ -z "$(trial_pids "$name")" ]; }; then
            sed 's/^/  /' "$TRIAL/$name.out" >&2
            "$LAUNCHER" doctor >&2 || true
            stop 70 "$what could not be shown." "It said so above." "Do what 'doctor' names above, then call this again."
        fi
        sleep 0.2
    done
}

show() {
    step "The icon and the window"
    if [ -z "$(trial_pids tray)" ]; then setsid "$LAUNCHER" tray >"$TRIAL/tray.out" 2>&1 </dev/null & fi
    shown tray "The icon" icon_is_there
    setsid "$LAUNCHER" window dashboard >"$TRIAL/window.out" 2>&1 </dev/null & # raises the one that is open
    shown window "The window" window_is_there
    say "Look at the tray: hover over the icon, click it, right-click it. The Dashboard is open."
}

# Those of our processes that show the trial, not the real thing.
trial_pids() {
    for pid in $(ours "$1"); do
        if tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qxF "BACKUP_TRAY_HOME=$TRIAL"; then printf '%s ' "$pid"; fi
    done
}

# A panel has taken the trial's icon.
icon_is_there() {
    pid=$(trial_pids tray)
    [ -n "$pid" ] && "$VENV/bin/python" -I -c 'import sys; from tray.doctor_desktop import icon_shown
sys.exit(not icon_shown(int(sys.argv[1].split()[0])))' "$pid"
}

# The trial's window is up and hears requests.
window_is_there() { [ -S "$TRIAL/runtime/window.sock" ] && [ -n "$(trial_pids window)" ]; }

still_shown() {
    icon_is_there || stop 70 "The icon went away during the trial." "See $TRIAL/tray.out" "$LAUNCHER doctor"
    say ""
    say "The trial's icon and window stay until you close them (Quit in the icon's menu). The real icon comes with the next login,"
    say "or now with: $LAUNCHER"
}
