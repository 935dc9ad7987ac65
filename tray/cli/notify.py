"""`backup-tray notify`: try a channel, see how the channels stand, and put the messages about a job to rest."""

import json
from argparse import ArgumentParser, Namespace
from contextlib import closing

from tray import wording
from tray.cli import Command
from tray.cli.parser import add_parts, run_part
from tray.config import channels, seconds
from tray.core import clock
from tray.core.errors import ChannelNotFoundError, MessageNotSentError, UsageError
from tray.core.paths import places
from tray.notify import overview, queue_file, snooze
from tray.notify.channels import NotSentError
from tray.status import marking

_DAY = "1d"


def _nothing(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _status(args: Namespace) -> int:
    """Show how every channel stands; exit code 1 if one sends nothing."""
    rows, now_ms = overview.standings(places()), clock.now_ms()
    if args.json:
        print(json.dumps([row.to_json() for row in rows], indent=2))
    else:
        for row in rows:
            print("\n".join(_lines(row, now_ms)))
        for job, until_ms in overview.snoozed(places()).items():
            print(f"Messages about {wording.escape(job)} rest until {wording.both_times(until_ms)}.")
    return 1 if any(row.fault for row in rows) else 0


def _lines(row: overview.Standing, now_ms: int) -> list[str]:
    if row.settings is not None and not row.settings.enabled:
        return [f"{row.name}: turned off"]
    state = row.state
    sent = "nothing sent yet" if state.sent_ms is None else f"last message {wording.ago(now_ms, state.sent_ms)}"
    parts = [
        "cannot send" if row.fault else "ready",
        sent,
        f"{wording.plural(state.waiting, 'event')} waiting" if state.waiting else "",
        f"{wording.count(state.held)} of them held until later" if state.held else "",
        f"{wording.plural(state.given_up, 'message')} given up" if state.given_up else "",
    ]
    lines = [f"{row.name}: {', '.join(part for part in parts if part)}"]
    if row.fault:
        lines.append(f"  why: {wording.escape(row.fault)}")
    if state.next_ms is not None and state.tries:
        lines.append(
            f"  next try: {wording.both_times(state.next_ms)}, after {wording.plural(state.tries, 'failed try')}"
        )
    return lines


def _add_channel(parser: ArgumentParser) -> None:
    parser.add_argument("channel", metavar="CHANNEL", help="a channel of config.toml, or desktop")


def _test(args: Namespace) -> int:
    """Send a test message by a channel."""
    here = places()
    known = channels.load(here)
    if args.channel in known.broken:
        raise known.broken[args.channel]
    if args.channel not in known.channels:
        raise ChannelNotFoundError(args.channel, tuple(known.channels))
    try:
        overview.test(here, known.channels[args.channel])
    except NotSentError as error:
        raise MessageNotSentError(args.channel, error.why) from error
    print(f"Sent. Look whether the test message has arrived by {args.channel}.")
    return 0


def _add_snooze(parser: ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="the job, as `backup-tray status` names it")
    parser.add_argument(
        "--for", dest="length", default=_DAY, metavar="TIME", help=f"for how long (default {_DAY}): 8h, 3d, 2w"
    )


def _snooze(args: Namespace) -> int:
    """Send no message about a job for a while; its state is shown as before."""
    length = seconds(args.length)
    if length is None or not 0 < length <= _LONGEST:
        step = f"Name a length of time up to 90 days: `backup-tray notify snooze {wording.escape(args.job)} --for 8h`."
        raise UsageError(f"--for {args.length!r} cannot be used.", next=step)
    here, until_ms = places(), clock.now_ms() + int(length * 1000)
    job = marking.named(here, args.job)
    with closing(queue_file.opened(here)) as waiting:
        snooze.put(here, waiting, job.job, until_ms, job.instance)
    print(
        f"No message about {wording.escape(job.job)} until {wording.both_times(until_ms)}. Its state is shown as before."
    )
    return 0


_LONGEST = 90 * 86_400.0
STATUS = Command(_nothing, _status, "backup-tray notify status", "backup-tray notify status --json")
TEST = Command(_add_channel, _test, "backup-tray notify test desktop")
SNOOZE = Command(_add_snooze, _snooze, "backup-tray notify snooze home --for 8h")
PARTS = {
    "status": (STATUS, "how every channel stands: the messages that wait, and why one failed"),
    "test": (TEST, "send a test message by a channel"),
    "snooze": (SNOOZE, "send no message about a job for a while"),
}
"""Every part, and its one line of help."""


def _register(parser: ArgumentParser) -> None:
    _nothing(parser)
    parser.set_defaults(act=_status)
    add_parts(parser, PARTS, required=False)


NOTIFY = Command(_register, run_part, "backup-tray notify status", "backup-tray notify test mail")
