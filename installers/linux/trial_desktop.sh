# The part of the trial that needs a screen; read by trial.sh with `.`.

# wait_for SECONDS COMMAND...: whether COMMAND succeeds in time.
wait_for() {
    tries=$(($1 * 5))
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.2
    done
}

# shown NAME WHAT PID READY...: waits until READY succeeds; stops with what NAME said if it ended or never got so far.
shown() {
    name=$1 what=$2 pid=$3
    shift 3
    ready_or_gone() { "$@" || ! kill -0 "$pid"; }
    wait_for 20 ready_or_gone "$@" || true
    if ! "$@" >/dev/null 2>&1; then
        sed 's/^/  /' "$TRIAL/$name.out" >&2
        "$LAUNCHER" doctor >&2 || true
        stop 70 "$what could not be shown." "It said so above." "Do what 'doctor' names above, then call this again."
    fi
}

show() {
    step "The icon and the window"
    if [ -z "$(trial_pids tray)" ]; then
        setsid "$LAUNCHER" tray >"$TRIAL/tray.out" 2>&1 </dev/null &
        shown tray "The icon" $! icon_is_there
    fi
    if [ -z "$(trial_pids window)" ]; then
        setsid "$LAUNCHER" window dashboard >"$TRIAL/window.out" 2>&1 </dev/null &
        shown window "The window" $! test -S "$TRIAL/runtime/window.sock"
    fi
    say "Look at the tray: hover over the icon, click it, right-click it. The Dashboard is open."
}

# Those of our processes that show the trial, not the real thing.
trial_pids() {
    for pid in $(ours "$1"); do
        if tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qxF "BACKUP_TRAY_HOME=$TRIAL"; then printf '%s ' "$pid"; fi
    done
}

icon_is_there() { test -n "$(trial_pids tray)"; }

still_shown() {
    [ -n "$(trial_pids tray)" ] || stop 70 "The icon went away during the trial." "See $TRIAL/tray.out" "$LAUNCHER doctor"
    say ""
    say "The trial's icon and window stay until you close them (Quit in the icon's menu). The real icon comes with the next login,"
    say "or now with: $LAUNCHER"
}
