"""The wrapper: runs a backup under watch without ever being in its way. Start here: `wrap.run`.

wrap.py            one run from beginning to end               watch.py            lines become events
prepare.py         before the start                            after_run.py        once the run is on record
live_state.py      events become the live picture              publisher.py        the line to the tracker
child.py           the process, its terminal, its signals      outputs.py          spool files and the way to the caller
relay.py           to a caller that reads slowly               exact_output.py     what of an unfinished line the caller sees
waker.py           waiting for the next event                  io_rate.py          what a process reads
script_steps.py    engines that a script calls                 unmet_steps.py      those that were over too soon to be met
early_steps.py     a script's first moments                    stay_behind.py      an engine that a script left in the background
began.py           whose exit code it is                       emptied_sources.py  sources whose disk is not mounted
earlier_runs.py    what to expect of this run                  left_behind.py      an earlier run that goes on, a lock left behind
controls.py        cancel, pause, resume                       stall.py            whether the run stands still
privacy.py         what a run shows of its command             send_copies.py      checkpoints and entries go elsewhere
spool_guard.py     spools stay small without a reader          prompt.py            a question that an engine asks
not_started.py     a command that cannot be started            fallback.py          when we make a mistake of our own
estimate/          how long the run will take
"""
