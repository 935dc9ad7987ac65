"""The time from the end of a failed run to its mail at a server on this machine, and the cost of making one.

    python tests/bench/bench_mail.py [--runs 5]

Wrapper, queue, sender and server (aiosmtpd) are real. The time of making a mail is that of one failure, and of a message of a
thousand events; the PDF of the run is attached in every second run.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests import own_home
from tests.e2e.mail_servers import Mailbox, serving
from tests.e2e.program import tray
from tests.unit.notify.mail.samples import failure, message
from tests.waiting import wait_for
from tray.core import paths
from tray.core.paths import private
from tray.notify.mail import envelope
from tray.notify.mail.letter import letter


class Timed(Mailbox):
    """A mailbox that notes when each mail was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[float] = []

    async def handle_DATA(self, *asked: object) -> str:  # noqa: N802 # aiosmtpd's name
        """Take the mail."""
        assert asked
        self.taken.append(time.time())
        return "250 OK"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    base = own_home.begin()
    assert base is not None
    try:
        for report in (False, True):
            times = [arrival(base / f"{report}-{number}", report=report) for number in range(runs)]
            said = "with the report as PDF" if report else "without a report"
            print(
                f"end of the run to mail at the server, {said}: {statistics.median(times):.2f} s, worst {max(times):.2f}"
            )
        for number in (1, 1000):
            of = message(*(failure(id=f"e{each}", job=f"job{each}") for each in range(number)))
            begin = time.perf_counter()
            content = envelope.mail(of, letter(of, "nas"), "a@example.com", ["b@example.com"], "nas", None).as_bytes()
            took = (time.perf_counter() - begin) * 1000
            print(f"a mail of {number} events: {took:.1f} ms, {len(content) / 1000:.0f} kB")
    finally:
        own_home.end(base)


def arrival(home: Path, *, report: bool) -> float:
    """Return the seconds from the end of a failed run, as recorded, to its mail."""
    os.environ[paths.HOME_VARIABLE] = str(home)
    places, mailbox = paths.places(), Timed()
    with serving(mailbox) as port:
        private(places.config)
        flag = str(report).lower()
        lines = f'to = ["ann@example.com"]\nserver = "smtp://127.0.0.1:{port}"\nreport = {flag}\n'
        places.config_file.write_text(f"version = 1\n[channels.desktop]\nenabled = false\n[channels.mail]\n{lines}")
        begin = time.time()
        tray("run", "--job", "home", "--", "false")
        ended = time.time()
        wait_for(lambda: mailbox.taken, what="the mail")
    print(f"  wrapper took {ended - begin:.2f} s, mail {mailbox.taken[0] - ended:+.2f} s after its end")
    return mailbox.taken[0] - ended


if __name__ == "__main__":
    main()
