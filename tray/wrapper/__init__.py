"""The wrapper: runs a backup under watch without ever being in its way. Start reading at `wrap.run`.

Before the start:  prepare.py  child.py  waker.py  outputs.py  relay.py  prompt.py
Beside the run:    follow.py  watch.py  live_state.py  estimate.py  pace.py  stall.py  controls.py  publisher.py
Of a script:       early_steps.py  script_steps.py  unmet_steps.py  stay_behind.py
At the end:        record.py  began.py  result_checks.py  after_run.py  spool_guard.py
If it goes wrong:  fallback.py (an internal error)  not_started.py (the command cannot start)
"""
