"""`backup-tray notify`: try a channel, see how the channels stand, and put the messages about a job to rest."""

import json
import shlex
from argparse import ArgumentParser, Namespace

from tray import wording
from tray.cli import Command
from tray.cli.parser import add_parts, run_part
from tray.config import channels, seconds
from tray.core import clock
from tray.core.errors import BackupTrayError, ChannelNotFoundError, MessageNotSentError, UsageError
from tray.core.model import Instance
from tray.core.paths import Places, places, session_bus
from tray.notify import overview, snooze
from tray.notify.channels import NotSentError
from tray.schedule import change, watch
from tray.status import marking
from tray.wording import channel_lines
from tray.wording import channels as words

_DAY = "1d"


def _nothing(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _status(args: Namespace) -> int:
    """Show how every channel stands; exit code 1 if one sends nothing."""
    here, now_ms = places(), clock.now_ms()
    rows, rests = overview.standings(here), snooze.rests(here)
    if args.json:
        print(json.dumps([row.to_json() for row in rows], indent=2))
    else:
        width = max(len(row.name) for row in rows)
        for row in rows:
            print("\n".join(_lines(row, width, now_ms)))
        for rest in rests:
            print(words.resting(rest.job, rest.until_ms, now_ms, system=rest.instance is Instance.SYSTEM))
        if len(rows) == 1:
            where = (
                "You are told on this desktop only"
                if rows[0].word in (words.READY, words.UNTRIED)
                else "Nothing tells you"
            )
            print(f"{where}. To add mail and others: `backup-tray notify lines`.")
    return 1 if any(row.fault and not (row.settings and row.settings.implied) for row in rows) else 0


def _lines(row: overview.Standing, width: int, now_ms: int) -> list[str]:
    """Return how one channel stands: its name and state in columns, and a line for each thing to know about a fault."""
    state, name, pad = row.state, f"{row.name:<{width}}", " " * width
    said = row.word.lower()
    if row.word == words.OFF:
        return [f"{name}  {said}"]
    facts = "; ".join(filter(None, (words.last(state.sent_ms, row.tested_ms, now_ms), words.waits(state))))
    lines = [f"{name}  {said:<13}  {facts}".rstrip()]
    if row.fault:
        lines.append(f"{pad}  why: {wording.escape(row.fault)}")
    if row.mend:
        lines.append(f"{pad}  next: {row.mend}")
    if again := words.next_try(state, now_ms):
        lines.append(f"{pad}  next try: {again}")
    if row.fault and row.settings is not None:
        lines.append(f"{pad}  try it now: `backup-tray notify test {row.name}`")
    return lines


def _add_kind(parser: ArgumentParser) -> None:
    kinds = [kind.type for kind in channel_lines.ALL]
    parser.add_argument(
        "kind", metavar="KIND", nargs="?", choices=kinds, help=f"one of {', '.join(kinds)}; all of them"
    )


def _show_lines(args: Namespace) -> int:
    """Print the lines of config.toml that add each kind of channel, to be copied into it."""
    chosen = [kind for kind in channel_lines.ALL if args.kind in (None, kind.type)]
    print(f"# Copy lines into {places().config_file}, and put your own addresses there.")
    for kind in chosen:
        print(f"\n# {kind.title}: {kind.about}\n{kind.lines}")
        for sentence in kind.then:
            print(f"# {sentence}")
    print("\n# Then try it: backup-tray notify test NAME")
    return 0


def _add_channel(parser: ArgumentParser) -> None:
    parser.add_argument("channel", metavar="CHANNEL", help="a channel of config.toml, or desktop")
    parser.add_argument("--json", action="store_true", help="for programs")


def _test(args: Namespace) -> int:
    """Send a test message by a channel."""
    try:
        _send_test(args.channel)
    except BackupTrayError as error:
        if not args.json:
            raise
        print(json.dumps({"sent": False, "error": error.facts()}, indent=2))
        return error.exit_code
    said = f"Sent. Look whether the test message has arrived by {args.channel}."
    print(json.dumps({"sent": True, "error": None}, indent=2) if args.json else said)
    return 0


def _send_test(channel: str) -> None:
    here = places()
    known = channels.load(here)
    if channel in known.broken:
        raise known.broken[channel]
    if channel not in known.channels:
        raise ChannelNotFoundError(channel, tuple(known.channels))
    try:
        overview.test(here, known.channels[channel])
    except NotSentError as error:
        without = known.channels[channel].type == channels.DESKTOP and session_bus() is None
        raise MessageNotSentError(channel, error.why, of_session=without) from error


def _add_snooze(parser: ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="the job, as `backup-tray status` names it")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--for", dest="length", default=_DAY, metavar="TIME", help=f"for how long (default {_DAY}): 8h, 3d, 2w"
    )
    choice.add_argument("--end", action="store_true", help="end the rest: send messages about the job again")


def _snooze(args: Namespace) -> int:
    """Send no message about a job for a while; its state is shown as before."""
    here = places()
    if args.end:
        return _end_rest(here, args.job)
    length = seconds(args.length)
    if length is None or not 0 < length <= _LONGEST:
        step = f"Name a length of time up to 90 days: `backup-tray notify snooze {shlex.quote(args.job)} --for 8h`."
        raise UsageError(f"--for {args.length!r} cannot be used.", next=step)
    until_ms = clock.now_ms() + int(length * 1000)
    job = marking.named(here, args.job)
    snooze.put(here, job.job, until_ms, job.instance)
    print(
        f"No message about {wording.escape(job.job)} until {wording.both_times(until_ms)}. Its state is shown as before."
    )
    return 0


def _end_rest(here: Places, job: str) -> int:
    rests = [rest for rest in snooze.rests(here) if rest.job == job]
    if not rests:
        marking.named(here, job)  # raises if there is no such job
        print(f"The messages about {wording.escape(job)} do not rest.")
    for rest in rests:
        snooze.put(here, rest.job, None, rest.instance)
        print(f"Messages about {wording.escape(job)} are sent again.")
    return 0


def _add_watch(parser: ArgumentParser) -> None:
    about = "set the round up or take it away; without a word it is only shown"
    parser.add_argument("word", metavar="on|off|status", nargs="?", choices=("on", "off", "status"), help=about)
    about = "the scheduler (default: systemd where it runs, else cron)"
    parser.add_argument("--by", choices=change.SCHEDULERS, help=about)


def _watch(args: Namespace) -> int:
    """Run housekeeping once an hour, also where neither icon nor tracker runs; exit code 1 if it will not start."""
    if args.word == "off":
        gone = watch.turn_off(places())
        print("Housekeeping does not run by itself any more." if gone else "Housekeeping was not scheduled.")
        return 0
    now = watch.turn_on(places(), args.by) if args.word == "on" else watch.standing()
    if now is None:
        print("Housekeeping runs only while a tracker does. To have it run always: `backup-tray notify watch on`.")
        return 0
    print(
        f"Housekeeping runs once an hour ({now.title}, {now.where}), so messages go out without icon and tracker too."
    )
    if now.next_ms is not None:
        print(f"  next: {wording.both_times(now.next_ms)}")
    if now.fault:
        print(f"  wrong: {now.fault}\n  mend it: backup-tray notify watch on")
    elif now.needs_login:
        print("It runs only while you are logged in. To have it run always: `backup-tray schedule --linger`.")
    return 1 if now.fault else 0


_LONGEST = 90 * 86_400.0
STATUS = Command(_nothing, _status, "backup-tray notify status", "backup-tray notify status --json")
TEST = Command(_add_channel, _test, "backup-tray notify test desktop", "backup-tray notify test mail")
SNOOZE = Command(
    _add_snooze,
    _snooze,
    *("backup-tray notify snooze home --for 8h", "backup-tray notify snooze home --end"),
)
LINES = Command(_add_kind, _show_lines, "backup-tray notify lines mail", "backup-tray notify lines")
WATCH = Command(_add_watch, _watch, "backup-tray notify watch on", "backup-tray notify watch status")
PARTS = {
    "status": (STATUS, "how every channel stands: the messages that wait, and why one failed"),
    "test": (TEST, "send a test message by a channel"),
    "snooze": (SNOOZE, "send no message about a job for a while, or again"),
    "lines": (LINES, "the lines of config.toml that add mail, ntfy, Home Assistant and other channels"),
    "watch": (WATCH, "tell also while neither icon nor tracker runs, as on a server"),
}
"""Every part, and its one line of help."""


def _register(parser: ArgumentParser) -> None:
    _nothing(parser)
    parser.set_defaults(act=_status)
    add_parts(parser, PARTS, required=False)


NOTIFY = Command(
    _register,
    run_part,
    *("backup-tray notify", "backup-tray notify lines mail", "backup-tray notify test mail"),
)
