"""A tracker that is sent nonsense, held up, stopped or hidden: it answers, it ends when told to, or every surface says so."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.waiting import wait_for
from tray import ipc
from tray.core.errors import StatusFetchError, TrackerGoneError
from tray.core.model import LiveRun, State
from tray.core.paths import Places, private
from tray.status import StatusSource
from tray.status import live as live_module
from tray.tracker.conversation import Conversation
from tray.tracker.loop import Reporter
from tray.tracker.server import Tracker

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and Unix sockets")


@contextmanager
def tracker(places: Places, before: str = "") -> Iterator["subprocess.Popen[bytes]"]:
    """Run a real tracker process, changed by the code *before*."""
    code = f"{before}\nfrom tray.cli.main import main; import sys; sys.exit(main(['tracker']))"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    try:
        wait_for(lambda: answers(places), what="the tracker")
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def answers(places: Places) -> bool:
    """Whether a tracker answers."""
    with suppress(TrackerGoneError):
        ipc.Client(places, "cli").close()
        return True
    return False


def talk(places: Places, *lines: bytes, greets: bool = True) -> tuple[Tracker, list[dict[str, Any]], bool]:
    """Send lines to a tracker; return it, the messages that it sent, and whether it hung up."""
    server = Tracker(places)
    ours, theirs = socket.socketpair()
    with ours:
        conversation = Conversation(server, theirs)
        conversation.begin()
        for line in (*((ipc.encode(ipc.hello("cli")),) if greets else ()), *lines):
            conversation.take(line)
        closing = conversation.closing
        conversation.close()
        with ours.makefile("rb") as file:
            told = [json.loads(line) for line in file]
    server.loop.close()
    server._observer._loop.close()
    return server, told, closing


def test_a_subscriber_that_does_not_read_costs_no_memory_and_gets_the_whole_state_later(places: Places) -> None:
    """A stuck window must not fill the tracker's memory; once it reads again it sees how things stand."""
    server = Tracker(places)
    ours, theirs = socket.socketpair()
    conversation = Conversation(server, theirs)
    conversation.begin()
    conversation.take(ipc.encode(ipc.hello("window")) + ipc.encode({"type": "subscribe"}))
    run = LiveRun("r1", "home", "restic", 1_700_000_000_000)
    for number in range(20_000):
        server.runs.start(run.with_changes(files_done=number, current="x" * 400))
        conversation._push()
    assert len(conversation._unsent) + sum(map(len, conversation._pushes)) < 64 * 1024
    ours.setblocking(False)
    heard = b""
    while b'"files_done":19999' not in heard:
        server.loop._round()
        with suppress(BlockingIOError):
            heard += ours.recv(1 << 20)
    last = json.loads(heard.splitlines()[-1])
    assert (last["type"], len(last["runs"])) == ("status", 1)
    conversation.close()
    ours.close()
    server.loop.close()
    server._observer._loop.close()


def test_a_subscriber_that_has_hung_up_is_told_nothing_more(places: Places) -> None:
    """The tracker forgets a client that is gone before its first answer; otherwise each one would cost it for ever."""
    server = Tracker(places)
    ours, theirs = socket.socketpair()
    conversation = Conversation(server, theirs)
    conversation.begin()
    conversation.take(ipc.encode(ipc.hello("window")))
    ours.close()
    conversation.take(ipc.encode({"type": "subscribe"}))
    assert conversation.closing
    assert not server.runs._listeners
    server.loop.close()
    server._observer._loop.close()


RUN = LiveRun("r1", "home", "restic", 1_700_000_000_000).to_json()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KINDS = (
    "status",
    "subscribe",
    "run.started",
    "run.progress",
    "run.finished",
    "cancel",
    "pause",
    "resume",
    "hello",
    "x",
)


@settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(KINDS), key=st.sampled_from([*RUN, "run", "last", "by", "protocol", "type"]), value=JSON)
def test_any_value_in_any_field_gets_an_answer_or_an_error(places: Places, kind: str, key: str, value: Any) -> None:
    """A connection never ends without a word, nothing wrong is kept, and what follows is answered."""
    announced = ipc.encode({"type": "run.started", "run": RUN})
    nested = {"type": kind, "run": {**RUN, key: value}}
    flat = {"type": kind, "run": "r1", **({} if key == "type" else {key: value})}
    for message in (nested, flat):
        server, told, closing = talk(places, announced, ipc.encode(message), ipc.encode({"type": "status"}))
        assert told[-1]["type"] == ("error" if closing else "status")
        json.loads(server.runs.snapshot())
        for run in server.runs.all():
            assert isinstance(run, LiveRun)
            run.to_json()


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(places: Places, raw: bytes) -> None:
    """Bytes that are no message end that one conversation, with an error."""
    _, told, closing = talk(places, raw + b"\n")
    assert not closing or told[-1]["type"] == "error"


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"run.started","run":{"can":5}}',
        ipc.encode({"type": "run.started", "run": {**RUN, "can": 5}}),
        ipc.encode({"type": "run.started", "run": {**RUN, "can": "cancel"}}),
        ipc.encode({"type": "run.started", "run": {**RUN, "started_at": "9999-12-31T23:59:59-23:59"}}),
        ipc.encode({"type": "run.started", "run": {**RUN, "steps": {"a": 1}}}),
        ipc.encode({"type": "run.progress", "run": "r1", "updated_at": "never"}),
        b'{"type":' * 20_000,
        b"[" * 60_000,
        b'{"type":"status","x":' + b"9" * 5000 + b"}",
        b"x" * (ipc.MAX_REQUEST + 1),
    ],
)
def test_each_of_these_once_ended_a_connection_or_more(places: Places, line: bytes) -> None:
    """Wrong types, deep nesting, long numbers, long lines: always `error`, then the end."""
    _, told, closing = talk(places, ipc.encode({"type": "run.started", "run": RUN}), line.rstrip() + b"\n")
    assert closing
    assert told[-1]["type"] == "error"
    assert told[-1]["why"]


def test_a_mistake_of_ours_ends_one_conversation_only(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other side hears of it, and the traceback stands in the journal."""
    monkeypatch.setattr(Tracker, "pass_on", lambda *_: 1 / 0)
    _, told, _ = talk(places, ipc.encode({"type": "cancel", "run": "r1"}))
    assert told[-1] == {"type": "error", "why": "the tracker made a mistake: ZeroDivisionError"}
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.process
def test_who_says_nothing_is_hung_up_on(places: Places) -> None:
    """A connection without a greeting does not stay."""
    quick = "import tray.tracker.conversation as c; c.GREETING_SECONDS = 0.1"
    with tracker(places, quick):
        with socket.socket(socket.AF_UNIX) as silent:
            silent.settimeout(20)
            silent.connect(str(places.socket))
            heard = b"".join(iter(lambda: silent.recv(65536), b""))
        assert json.loads(heard)["type"] == "error"
        client = ipc.Client(places, "cli")
        wait_for(lambda: client.request("status")["type"] == "status")
        client.close()


@pytest.mark.process
def test_one_connection_too_many_is_refused_in_words_and_the_others_go_on(places: Places) -> None:
    """A script that leaks connections does not silence the tracker."""
    with tracker(places, "import tray.tracker.server as s; s.MOST_CONNECTIONS = 3"):
        clients = [ipc.Client(places, "cli") for _ in range(3)]
        with pytest.raises(TrackerGoneError) as caught:
            ipc.Client(places, "cli")
        assert "too many connections" in caught.value.why
        assert [client.request("status")["type"] for client in clients] == ["status"] * 3
        for client in clients:
            client.close()
        wait_for(lambda: answers(places), what="a free place")


def keeps_a_name_open(pid: int) -> bool:
    """Return whether a process has the name of another one open."""
    with suppress(OSError):
        return any(os.readlink(fd).endswith("/comm") for fd in Path(f"/proc/{pid}/fd").iterdir())
    return False


@contextmanager
def shells(number: int) -> Iterator[None]:
    """Have so many shells wait until the end."""
    waiting = [
        subprocess.Popen(["sh", "-c", "read line"], stdin=subprocess.PIPE, start_new_session=True)
        for _ in range(number)
    ]
    try:
        yield
    finally:
        for shell in waiting:
            shell.communicate()


@pytest.mark.process
def test_no_descriptor_left_is_said_once_and_passes(places: Places) -> None:
    """No flood of errors, and the tracker answers again afterwards."""
    short = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "import tray.tracker.loop as w; w.descriptors = lambda: 4000"
    )
    with shells(50), tracker(places, short) as process:
        wait_for(lambda: keeps_a_name_open(process.pid), what="the observer's look at the shells")
        held = []
        for _ in range(60):
            held.append(socket.socket(socket.AF_UNIX))
            held[-1].connect(str(places.socket))
        wait_for(lambda: not answers(places), what="the descriptors to run out")
        for one in held:
            one.close()
        wait_for(lambda: answers(places), what="the tracker")
        process.terminate()
        assert process.wait(60) == 0
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert len(said.splitlines()) < 30, said


def test_a_kind_of_mistake_is_printed_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand of them are one line in the journal."""
    report = Reporter()
    for _ in range(1000):
        report(OSError(errno.EMFILE, "Too many open files"), "accept failed")
    report(ValueError("x"), "another")
    said = capsys.readouterr().err
    assert said.count("accept failed") == 1
    assert "ValueError" in said


BUSY = """
import tray.tracker.server as s, tray.tracker.loop as w, tray.tracker.conversation as c
w.END_SECONDS = w.STUCK_SECONDS = {seconds}
def stuck(self):
    {how}
s.Tracker.handed = stuck
before = c.Conversation.answer
def answer(self, message):
    if message["type"] == "x.hold":
        self._tracker.handed()
    before(self, message)
c.Conversation.answer = answer
"""
PYTHON = "while True: pass"
REGEX = "import re; re.match('(a*)*b', 'a' * 60)"
SLEEPS = "import threading; threading.Event().wait()"


def hold(places: Places) -> ipc.Client:
    """Make the tracker's loop do something without end."""
    client = ipc.Client(places, "cli")
    client.send({"type": "x.hold"})
    wait_for(lambda: not answers(places), what="the tracker to hang")
    return client


@pytest.mark.process
@pytest.mark.parametrize("how", [PYTHON, REGEX, SLEEPS])
def test_term_ends_a_tracker_whatever_it_does(places: Places, how: str) -> None:
    """Neither a loop nor an expression nor a wait keeps it alive."""
    with tracker(places, BUSY.format(how=how, seconds=0.5) + "\nw.STUCK_SECONDS = 1e6") as process:
        client = hold(places)
        process.terminate()
        assert process.wait(60) == -signal.SIGALRM
        client.close()
    assert not answers(places)


@pytest.mark.process
@pytest.mark.parametrize("how", [PYTHON, REGEX])
def test_a_tracker_that_burns_the_processor_without_answering_ends_itself(places: Places, how: str) -> None:
    """The user need not find and kill it; the next program that needs a tracker starts another."""
    with tracker(places, BUSY.format(how=how, seconds=0.5)) as process:
        client = ipc.Client(places, "cli")
        client.send({"type": "x.hold"})
        assert process.wait(60) == -signal.SIGVTALRM
        client.close()


@pytest.mark.process
def test_the_tracker_answers_while_its_look_at_other_programs_hangs(places: Places) -> None:
    """A dead disk under /proc or anything else that a look waits for; and the status says that it hangs."""
    hangs = (
        "import threading, tray.tracker.server as s, tray.tracker.observer_thread as a; from tray.observe.proc import Proc\n"
        "Proc.pids = lambda _: threading.Event().wait()\n"
        "a.BEGIN_SECONDS = s.UPKEEP_SECONDS = 0.1; a.SILENT_SECONDS = 0.3"
    )
    with tracker(places, hangs) as process:
        client = ipc.Client(places, "cli")
        notes = wait_for(lambda: client.request("status")["notes"], what="the note")
        assert "has not looked for backups of other programs" in notes[0]
        source = StatusSource(places, role="cli", start_tracker=False, system=False)
        assert any("has not looked" in note for note in source.poll().notes)
        source.close()
        client.close()
        process.terminate()
        assert process.wait(60) == 0


@pytest.mark.process
def test_a_failing_look_is_said_and_the_next_one_is_tried(places: Places) -> None:
    """Not silence that looks like nothing to see."""
    fails = (
        "from tray.observe.lister import Lister; import tray.tracker.observer as o\n"
        "o.INTERVAL_SECONDS = 0.01; before = Lister.look; left = [3]\n"
        "def look(self, *a):\n"
        "    left[0] -= 1\n"
        "    if left[0] >= 0: raise LookupError('odd')\n"
        "    return before(self, *a)\n"
        "Lister.look = look"
    )
    with tracker(places, fails):
        client = ipc.Client(places, "cli")
        notes = wait_for(lambda: client.request("status")["notes"], what="the note")
        assert "LookupError: odd" in notes[0]
        client.close()


@pytest.mark.process
def test_a_socket_that_was_removed_comes_back(places: Places) -> None:
    """A cleaner of /tmp, or a person, took it away; meanwhile the user is not told that all is fine."""
    with tracker(places, "import tray.tracker.server as s; s.UPKEEP_SECONDS = 0.2"):
        before = ipc.Client(places, "cli")
        places.socket.unlink()
        wait_for(lambda: answers(places), what="a new socket")
        assert before.request("status")["type"] == "status", "conversations go on"
        before.close()


def unavailable(places: Places, *, start: bool = False) -> Any:
    """Return what is shown, which must be that nothing is known of now."""
    source = StatusSource(places, role="cli", start_tracker=start, system=False)
    try:
        shown = source.poll()
    finally:
        source.close()
    assert shown.state is State.UNAVAILABLE
    assert shown.error is not None
    return shown


def backup(places: Places) -> None:
    """Put one success on record."""
    subprocess.run([sys.executable, "-m", "tray", "run", "--job", "mine", "--", "true"], check=True)


@pytest.mark.process
@pytest.mark.parametrize("start", [False, True])
def test_a_stopped_tracker_is_said_with_what_is_on_record(
    places: Places, monkeypatch: pytest.MonkeyPatch, *, start: bool
) -> None:
    """SIGSTOP, a swap storm or a hang: it exists and does not answer, so what it knows is not known."""
    monkeypatch.setattr(live_module, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr("tray.tracker.start.STARTUP_SECONDS", 0.3)
    backup(places)
    with tracker(places) as process:
        process.send_signal(signal.SIGSTOP)
        shown = unavailable(places, start=start)
        assert [job.job for job in shown.jobs] == ["mine"]
        assert f"kill -9 {process.pid}" in shown.error["next"]
        done = subprocess.run([sys.executable, "-m", "tray", "status"], capture_output=True, text=True)
        assert done.returncode == 3
        assert "does not answer" in done.stdout
        process.send_signal(signal.SIGCONT)
        source = StatusSource(places, role="cli", start_tracker=False, system=False)
        wait_for(lambda: source.poll().state is State.OK, what="the tracker")
        source.close()


@pytest.mark.process
def test_a_tracker_whose_socket_is_gone_is_said(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock tells that it lives."""
    monkeypatch.setattr(live_module, "PATIENCE_SECONDS", 0.3)
    with tracker(places, "import tray.tracker.server as s; s.Tracker._upkeep = lambda _: None"):
        places.socket.unlink()
        assert "does not listen" in unavailable(places).error["why"]


@pytest.mark.process
@pytest.mark.parametrize("protocol", [[99, 0], None, "1", [], [None]])
def test_a_tracker_of_another_protocol_is_said(
    places: Places, monkeypatch: pytest.MonkeyPatch, protocol: object
) -> None:
    """Its words may mean anything."""
    monkeypatch.setattr(live_module, "PATIENCE_SECONDS", 0.3)
    with tracker(
        places, f"import tray.ipc as i; b = i.hello; i.hello = lambda *a: b(*a) | {{'protocol': {protocol!r}}}"
    ):
        assert "does not understand" in unavailable(places).error["why"]


@pytest.mark.process
def test_who_follows_the_status_hears_that_the_tracker_has_gone_silent(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window subscribes and would wait for ever: a tracker that hangs says nothing, as one does to which nothing happens."""
    for name in ("PATIENCE_SECONDS", "QUIET_SECONDS"):
        monkeypatch.setattr(live_module, name, 0.3)
    followed = live_module.Live(places, "window", start_tracker=False)

    def heard() -> bool:
        try:
            followed.hear()
        except StatusFetchError as error:
            return "said nothing" in error.why or "no answer" in error.why
        return False

    with tracker(places) as process:
        assert not heard()
        process.send_signal(signal.SIGSTOP)
        wait_for(heard, what="the silence to be noticed")
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: not heard(), what="the tracker")
    followed.close()


@pytest.mark.process
def test_a_quiet_tracker_is_not_a_silent_one(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing happens for long: it is asked, it answers, no alarm."""
    monkeypatch.setattr(live_module, "QUIET_SECONDS", 0.0)
    followed = live_module.Live(places, "window", start_tracker=False)
    with tracker(places):
        asked = 0
        for _ in range(200):
            assert followed.hear() == {}
            asked += bool(followed._asked)
            followed.wait(0.01)
        assert asked
    followed.close()


@pytest.mark.process
def test_a_wrapper_is_not_held_up_by_a_stopped_tracker(places: Places) -> None:
    """Also where its queue of connections is full."""
    with tracker(places) as process:
        process.send_signal(signal.SIGSTOP)
        held = []
        with suppress(BlockingIOError):
            for _ in range(1000):
                held.append(socket.socket(socket.AF_UNIX))
                held[-1].setblocking(False)
                held[-1].connect(str(places.socket))
        with pytest.raises(TrackerGoneError) as caught:
            ipc.connect(places, timeout=0)
        assert caught.value.there
        for one in held:
            one.close()
        process.send_signal(signal.SIGCONT)


@pytest.mark.process
def test_nothing_is_left_armed_in_a_process_that_was_a_tracker(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tracker's processor timer ends with it."""
    code = (
        "import signal, threading; from tray.tracker import server; from tray.core.paths import places\n"
        "before = server.Tracker._idle\n"
        "def idle(self): before(self); self.stop('idle')\n"
        "server.Tracker._idle = idle; server.run(places()); print(signal.getitimer(signal.ITIMER_VIRTUAL))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "(0.0, 0.0)"


def _mute(_: socket.socket) -> None:
    """Say nothing."""


def _garbage(other: socket.socket) -> None:
    """Say what is no message."""
    other.sendall(b"HTTP/1.1 200 OK\r\n\r\n")


def _endless(other: socket.socket) -> None:
    """Say one message without end."""
    while True:
        other.sendall(b"x" * 65536)


def _letters(other: socket.socket) -> None:
    """Say a message letter by letter."""
    while True:
        other.sendall(b"x")
        threading.Event().wait(0.05)


@pytest.mark.process
@pytest.mark.parametrize("say", [_mute, _garbage, _endless, _letters])
def test_whatever_listens_in_the_trackers_place_the_status_comes_and_says_so(
    places: Places, monkeypatch: pytest.MonkeyPatch, say: Callable[[socket.socket], None]
) -> None:
    """Never a wait without end, never "fine"; and a backup beside it runs as always."""
    monkeypatch.setattr(live_module, "PATIENCE_SECONDS", 0.3)
    backup(places)
    private(places.runtime)
    kept = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(places.socket))
        server.listen(50)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    kept.append(server.accept()[0])
                    threading.Thread(target=lambda other=kept[-1]: answer(other), daemon=True).start()

        def answer(other: socket.socket) -> None:
            with suppress(OSError):
                say(other)

        threading.Thread(target=serve, daemon=True).start()
        assert [job.job for job in unavailable(places).jobs] == ["mine"]
        done = subprocess.run([sys.executable, "-m", "tray", "run", "--", "sh", "-c", "exit 3"], timeout=60)
        assert done.returncode == 3
        server.shutdown(socket.SHUT_RDWR)
    for other in kept:
        other.close()


@pytest.mark.process
def test_a_socket_that_a_dead_tracker_left_is_no_tracker(places: Places) -> None:
    """It is said of none that it hangs."""
    backup(places)
    private(places.runtime)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(places.socket))
    source = StatusSource(places, role="cli", start_tracker=False, system=False)
    assert source.poll().state is State.OK
    source.close()
