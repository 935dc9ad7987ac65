"""The sender, killed at every step and at random moments, while a receiver counts its messages.

`python -m tests.e2e.notify_kills steps FOLDER URL MOST` kills the thread of one channel before at most MOST changes of files, each
time from the same queue, and prints as JSON how often, and each broken condition. Trial N sends to URL/N.

`python -m tests.e2e.notify_kills send FOLDER` sends all that waits, one event a message and without a pause.
"""

import json
import os
import shutil
import sys
from contextlib import closing
from pathlib import Path

from tests.e2e import killing
from tests.unit.notify.help import FINE, event
from tray.config import channels
from tray.core.model import EndedRun, JobStatus, Outcome, State, Status
from tray.core.paths import Places, private
from tray.notify import queue, queue_file
from tray.notify.news import News
from tray.notify.queue import Delivery, Queue
from tray.notify.rules import Rules
from tray.notify.worker import Worker

NAME = "hook"
FEW = 3
NOW = 1_796_000_000_000
JOBS = tuple(
    JobStatus(
        f"job {number}", State.FAILED, EndedRun(f"r{number}", f"job {number}", "restic", Outcome.FAILED, NOW, NOW)
    )
    for number in range(FEW)
)


def at(folder: Path) -> Places:
    """Return the places below *folder*."""
    return Places(folder / "config", folder / "state", folder / "runtime", folder / "log")


def configure(places: Places, url: str) -> None:
    """Let a webhook at *url* be the only channel."""
    for folder in (places.config.parent, places.config, places.state):
        private(folder)
    lines = ["version = 1", "[channels.desktop]", "enabled = false", f"[channels.{NAME}]"]
    places.config_file.write_text("\n".join([*lines, 'type = "webhook"', f'url = "{url}"']) + "\n")


def fill(places: Places, number: int) -> None:
    """Queue so many events."""
    events = [event(id=f"event-{each}", job=f"job {each}", incident=f"i-{each}") for each in range(number)]
    with closing(queue_file.opened(places)) as waiting:
        waiting.tell({}, events, [Delivery(each, NAME, 0) for each in events])


def send(places: Places) -> None:
    """Send all that waits, as a sender's thread does, but one event a message and without a pause."""
    queue.PACE_MS, queue.MOST_EVENTS = 0, 1
    settings = channels.load(places).channels[NAME]
    locks = private(places.state / "notify")
    Worker(places, places.state / queue_file.FILE, locks, settings, FINE).run()


def look(places: Places) -> None:
    """Find that the jobs have failed, and queue it."""
    rules = Rules({NAME: channels.load(places).channels[NAME]})
    with closing(queue_file.opened(places)) as waiting:
        news = News(waiting.memory(), Status(State.FAILED, NOW, jobs=JOBS), find_id=lambda run: f"entry of {run.run}")
        waiting.tell(news.memory, news.events, rules.deliveries(news.events, NOW))


def left(places: Places) -> list[str]:
    """Return broken conditions of a queue that was emptied."""
    with closing(Queue(places.state / queue_file.FILE)) as waiting:
        rows = waiting.db.execute("SELECT count(*), count(DISTINCT event), count(message) FROM deliveries").fetchone()
        sent = waiting.db.execute("SELECT count(*), count(sent_ms) FROM messages").fetchone()
        whole = waiting.db.execute("PRAGMA integrity_check").fetchone()
    return [] if (rows, sent, whole) == ((FEW,) * 3, (FEW,) * 2, ("ok",)) else [f"{rows} {sent} {whole}"]


def steps(folder: Path, url: str, most: int) -> None:
    """Kill a look for news, and the sending of its events, before each change of a file."""
    os.umask(0o077)
    killing.sync_nothing()
    kills, problems, number = 0, list[str](), 0
    for act in (look, send):
        template = at(folder / f"template-{act.__name__}")
        configure(template, url)
        if act is send:
            look(template)
        total = most
        for step in range(most + 1):  # the first one is not killed
            kill_at = 0 if step == 0 else 1 + (step - 1) * total // most
            if step and most > total and kill_at == 1 + (step - 2) * total // most:
                continue
            places = at(folder / f"{number}")
            shutil.copytree(template.config.parent, places.config.parent)
            configure(places, f"{url}/{number}")
            ended = killing.run(lambda _, act=act, places=places: act(places), folder / "errors", kill_at=kill_at)  # type: ignore[misc]
            total = total if step else ended.steps
            kills += ended.killed
            for again in (look, send):
                killing.run(lambda _, again=again, places=places: again(places), folder / "errors")  # type: ignore[misc]
            problems += [f"{act.__name__}, step {kill_at} of {total}: {problem}" for problem in left(places)]
            shutil.rmtree(places.config.parent)
            number += 1
    print(json.dumps({"kills": kills, "trials": number, "problems": problems}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["steps", folder, url, most]:
            steps(Path(folder), url, int(most))
        case ["send", folder]:
            killing.sync_nothing()
            send(at(Path(folder)))
