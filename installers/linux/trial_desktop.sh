# The part of the trial that needs a screen; read by trial.sh with `.`.

failed="" # parts that could not be shown; the trial goes on without them and says so at the end

# shown NAME WHAT SECONDS READY...: waits until READY succeeds, or the process NAME has ended, or the time is over.
shown() {
    name=$1 what=$2 patience=$3
    shift 3
    started=$(date +%s)
    until "$@" >/dev/null 2>&1; do
        age=$(($(date +%s) - started))
        if [ "$age" -ge "$patience" ] || { [ "$age" -ge 3 ] && [ -z "$(trial_pids "$name")" ]; }; then
            failed="$failed$what "
            say "$what could not be shown; going on without. It said:"
            sed 's/^/    /' "$TRIAL/$name.out"
            return
        fi
        sleep 0.2
    done
}

show() {
    step "The icon and the window"
    if [ -z "$(trial_pids tray)" ]; then setsid "$LAUNCHER" tray >"$TRIAL/tray.out" 2>&1 </dev/null & fi
    shown tray "The icon" 8 icon_is_there
    setsid "$LAUNCHER" window dashboard >"$TRIAL/window.out" 2>&1 </dev/null & # raises a window that is open already
    shown window "The window" 20 window_is_there
    [ -n "$failed" ] || say "Look at the tray: hover over the icon, click it, right-click it. The Dashboard is open."
}

# trial_pids VERB: prints the pids of our processes that show the trial.
trial_pids() {
    for pid in $(ours "$1"); do
        if tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qxF "BACKUP_TRAY_HOME=$TRIAL"; then printf '%s ' "$pid"; fi
    done
}

# icon_is_there: succeeds once a panel has taken the trial's icon.
icon_is_there() {
    pid=$(trial_pids tray)
    [ -n "$pid" ] && "$VENV/bin/python" -I -c 'import sys; from tray.doctor.panel import icon_shown
sys.exit(not icon_shown(int(sys.argv[1].split()[0])))' "$pid"
}

# window_is_there: succeeds once the trial's window takes requests.
window_is_there() { [ -S "$TRIAL/runtime/window.sock" ] && [ -n "$(trial_pids window)" ]; }

# still_shown: tells the user which parts stay on the screen, or ends the trial as failed.
still_shown() {
    if [ -n "$failed" ]; then
        "$LAUNCHER" doctor >&2 || true
        stop 70 "Backup and record are fine, but not shown: $failed" "The lines 'tray' and 'window' above say why." \
            "Do what they name under 'mend it', then call this again."
    fi
    icon_is_there || stop 70 "The icon went away during the trial." "See $TRIAL/tray.out" "$LAUNCHER doctor"
    say ""
    say "The trial's icon stays until you choose Quit in its menu, the window until you close it. The real icon comes with the next"
    say "login, or now with: $LAUNCHER"
}
