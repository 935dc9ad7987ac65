import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_for
from tray import ipc
from tray.core import paths
from tray.core.errors import TrackerGoneError
from tray.core.model import Control, LiveRun, Phase, Source, Step
from tray.core.paths import Places
from tray.observe import awake_log
from tray.tracker import start

pytestmark = pytest.mark.process


@pytest.fixture
def tracker(places: Places) -> Iterator["subprocess.Popen[bytes]"]:
    """A real tracker process."""
    process = subprocess.Popen([sys.executable, "-m", "tray", "tracker"])
    wait_for(lambda: answers(places), what="the tracker")
    yield process
    process.terminate()
    process.wait()


def answers(places: Places) -> bool:
    """Whether a tracker answers."""
    try:
        ipc.Client(places, "cli").close()
    except TrackerGoneError:
        return False
    return True


def live(run: str = "r1", **changes: object) -> LiveRun:
    """Return a live run."""
    return LiveRun(run=run, job="home", engine="restic", started_ms=1_700_000_000_000).with_changes(**changes)


def publish(client: ipc.Client, run: LiveRun) -> None:
    """Announce *run* as a wrapper does."""
    client.send({"type": "run.started", "run": run.to_json()})


def test_status_shows_every_run_that_wrappers_published(places: Places, tracker: object) -> None:
    """Two backups at once are two rows, not one."""
    one, other, asking = (ipc.Client(places, role) for role in ("wrapper", "wrapper", "cli"))
    publish(one, live("r1"))
    publish(other, live("r2", phase=Phase.COPYING, bytes_done=5, bytes_total=10))
    runs = wait_for(lambda: (found := asking.request("status")["runs"]) and len(found) == 2 and found)
    assert {LiveRun.from_json(run).run for run in runs} == {"r1", "r2"}
    assert [run["percent"] for run in runs if run["run"] == "r2"] == [50]
    for client in (one, other, asking):
        client.close()


def test_a_client_that_knows_the_newest_state_is_told_so_in_one_small_line(places: Places, tracker: object) -> None:
    """The tray asks once a second: neither end makes or reads JSON for it, and the next change is told whole."""
    assert ipc.is_still(7) == ipc.encode({"type": "status", "change": 7})
    wrapper, asking = ipc.Client(places, "wrapper"), ipc.Client(places, "tray")
    publish(wrapper, live())
    whole = wait_for(lambda: (answer := asking.status(None)) and answer["runs"] and answer, what="the run")
    assert asking.status(whole["change"]) == {"type": "same"} == asking.request("status", change=whole["change"])
    wrapper.send({"type": "run.progress", "run": "r1", "files_done": 7})
    changed = wait_for(lambda: (answer := asking.status(whole["change"])) and answer.get("runs"), what="the change")
    assert [run["files_done"] for run in changed] == [7]
    wrapper.close()
    asking.close()


def test_before_hello_not_even_that_is_answered(places: Places, tracker: object) -> None:
    """The tracker tells nothing to a client that has not said who it is."""
    raw, _ = ipc.connect(places, timeout=5)
    raw.sendall(ipc.is_still(0))
    assert json.loads(raw.recv(65536))["type"] == "error"
    raw.close()


def test_a_subscriber_hears_progress_and_end_without_asking(places: Places, tracker: object) -> None:
    """The window needs no polling."""
    wrapper, window = ipc.Client(places, "wrapper"), ipc.Client(places, "window", timeout=10)
    assert window.request("subscribe")["runs"] == []
    publish(wrapper, live())
    assert window.receive()["run"]["run"] == "r1"
    wrapper.send({"type": "run.progress", "run": "r1", "files_done": 7})
    assert window.receive()["run"]["files_done"] == 7
    wrapper.send({"type": "run.finished", "run": "r1", "last": None})
    assert window.receive() == {"type": "gone", "run": "r1", "last": None}
    wrapper.close()
    window.close()


def test_progress_with_any_field_reads_as_if_the_run_was_told_whole(places: Places, tracker: object) -> None:
    """The quick merge and the slow check come to the same; the tracker leaves out an unknown field."""
    wrapper, asking = ipc.Client(places, "wrapper"), ipc.Client(places, "cli")
    before = live()
    publish(wrapper, before)
    for changes in (
        {"phase": Phase.COPYING, "bytes_total": 10, "bytes_done": 5},
        {"files_done": 3, "current": "/home/ü", "updated_ms": 1_700_000_001_000, "eta_is_estimate": True},
        {"bytes_done": None, "since_progress_seconds": 720, "stalled": True},
        {"steps": (Step("borg", "create", 1_700_000_000_500),), "can": (Control.CANCEL,)},
    ):
        after = before.with_changes(**changes)
        old = before.to_json()
        changed = {key: value for key, value in after.to_json().items() if old[key] != value}
        wrapper.send({"type": "run.progress", "run": "r1", "mood": "fine", **changed})
        told = after.to_json()
        wait_for(lambda told=told: asking.request("status")["runs"] == [told], what="the run as it is now")
        before = after
    wrapper.close()
    asking.close()


@pytest.mark.parametrize(
    "field",
    [
        {"bytes_done": "7"},
        {"bytes_done": True},
        {"files_done": -1},
        {"updated_at": "now"},
        {"phase": 5},
        {"job": None},
        {"started_at": None},
    ],
)
def test_progress_that_makes_no_sense_ends_the_conversation(
    places: Places, tracker: object, field: dict[str, object]
) -> None:
    """A wrapper that counts in words is told so, and nothing of it is shown."""
    wrapper = ipc.Client(places, "wrapper", timeout=10)
    publish(wrapper, live())
    wrapper.send({"type": "run.progress", "run": "r1", **field})
    assert wrapper.receive()["type"] == "error"
    wrapper.close()


def test_a_wish_is_passed_on_to_the_wrapper_that_published_the_run(places: Places, tracker: object) -> None:
    """Only it touches the command; who asked hears that it has been told, and no other wrapper hears anything."""
    wrapper, other, window = (ipc.Client(places, role, timeout=10) for role in ("wrapper", "wrapper", "window"))
    publish(wrapper, live(can=(Control.CANCEL, Control.PAUSE)))
    publish(other, live("r2", can=(Control.CANCEL,)))
    wait_for(lambda: len(window.request("status")["runs"]) == 2, what="both runs")
    for wish in ("pause", "cancel"):
        window.send({"type": wish, "run": "r1", "by": "window"})
        assert window.receive() == {"type": "accepted", "run": "r1", "control": wish}
        assert wrapper.receive() == {"type": wish, "run": "r1", "by": "window"}
    assert [run["run"] for run in other.request("status")["runs"]] == ["r1", "r2"]  # the first thing that it hears
    for client in (wrapper, other, window):
        client.close()


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (None, "ERROR_RUN_NOT_LIVE"),
        (live(source=Source.OBSERVED, process="4711@5"), "ERROR_RUN_OBSERVED"),
        (live(), "ERROR_CONTROL_IMPOSSIBLE"),
    ],
)
def test_a_wish_that_nobody_can_fulfil_is_refused_in_the_words_of_the_catalogue(
    places: Places, tracker: object, run: LiveRun | None, code: str
) -> None:
    """The refusal has cause, reason and next step, ready for the user."""
    wrapper, asking = ipc.Client(places, "wrapper"), ipc.Client(places, "cli", timeout=10)
    if run is not None:
        publish(wrapper, run)
        wait_for(lambda: asking.request("status")["runs"], what="the run")
    asking.send({"type": "cancel", "run": "r1", "by": "cli"})
    answer = asking.receive()
    assert (answer["type"], answer["run"], answer["control"], answer["code"]) == ("refused", "r1", "cancel", code)
    assert all(answer[key] for key in ("what", "why", "next"))
    wrapper.close()
    asking.close()


def test_a_tracker_that_does_not_know_all_we_may_ask_is_replaced(
    places: Places, tracker: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older protocol is reason enough to hand over: what it does not understand it would leave unanswered."""
    monkeypatch.setattr(ipc, "PROTOCOL", (1, 99))
    client = start.ensure(places, "tray")
    assert tracker.wait(timeout=60) == 0
    client.send({"type": "handover"})
    client.close()
    wait_for(lambda: not answers(places))


def test_unknown_types_and_fields_are_ignored(places: Places, tracker: object) -> None:
    """A newer wrapper can talk to an older tracker."""
    client = ipc.Client(places, "wrapper")
    client.send({"type": "run.sings", "song": 1})
    client.send({"type": "run.started", "run": {**live().to_json(), "mood": "fine"}})
    assert client.request("status")["runs"][0]["run"] == "r1"
    client.close()


@pytest.mark.parametrize(
    "line",
    [
        b"garbage\n",
        b"[1, 2]\n",
        b'{"type": 5}\n',
        b"\xff\xfe\n",
        b"[" * 5000 + b"\n",
        b'{"type": "hello", "pad": "' + b"x" * ipc.MAX_REQUEST + b'"}\n',
        b"x" * (ipc.MAX_REQUEST + 10),
        b'{"type": "run.started", "run": {"run": 3}}\n',
        b'{"type": "status"}\n',
    ],
)
def test_a_bad_line_ends_only_the_conversation_it_came_in(places: Places, tracker: object, line: bytes) -> None:
    """Nonsense from one client neither stops the tracker nor disturbs other clients."""
    other = ipc.Client(places, "cli")
    bad = socket.socket(socket.AF_UNIX)
    bad.settimeout(10)
    bad.connect(str(places.socket))
    bad.sendall(line)
    heard = b"".join(iter(lambda: bad.recv(65536), b""))
    assert json.loads(heard)["type"] == "error"
    assert other.request("status")["runs"] == []
    bad.close()
    other.close()


def test_half_a_line_waits_for_its_rest(places: Places, tracker: object) -> None:
    """Lines may arrive in pieces of any size."""
    raw = socket.socket(socket.AF_UNIX)
    raw.settimeout(10)
    raw.connect(str(places.socket))
    for byte in ipc.encode(ipc.hello("cli")):
        raw.sendall(bytes([byte]))
    assert json.loads(raw.recv(65536))["role"] == "tracker"
    raw.close()


def test_the_socket_is_private(places: Places, tracker: object) -> None:
    """Other users of the machine can neither read nor write it."""
    assert places.socket.stat().st_mode & 0o777 == 0o600
    assert places.runtime.stat().st_mode & 0o777 == 0o700


def test_two_who_start_a_tracker_at_once_share_one(places: Places) -> None:
    """Tray and window may start together; a run must not be split between two trackers."""
    code = (
        "from tray.core import paths; from tray.tracker import start\n"
        "client = start.ensure(paths.places(), 'tray'); print(client.tracker['pid'], flush=True); input()"
    )
    pair = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    pids = {process.stdout.readline() for process in pair if process.stdout}
    for process in pair:
        process.communicate("\n", timeout=60)
    assert len(pids) == 1
    client = ipc.Client(places, "cli")
    client.send({"type": "handover"})
    wait_for(lambda: not answers(places))
    client.close()


def test_a_stale_socket_file_is_replaced(places: Places) -> None:
    """A tracker that was killed leaves its socket file behind; the next one starts all the same."""
    places.runtime.mkdir(parents=True, mode=0o700)
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(places.socket))
    dead.close()
    client = start.ensure(places, "tray")
    assert client.request("status")["runs"] == []
    client.send({"type": "handover"})
    client.close()


def test_a_tracker_of_its_own_accord_ends_when_nobody_needs_it(places: Places) -> None:
    """Nothing of ours stays behind on a machine where the tray was closed."""
    process = subprocess.Popen([sys.executable, "-m", "tray", "tracker", "--idle-exit", "0.2"])
    assert process.wait(timeout=60) == 0
    assert not places.socket.exists()


def test_an_idle_tracker_stays_while_a_client_is_there(places: Places) -> None:
    """The tray's conversation keeps its tracker alive."""
    process = subprocess.Popen([sys.executable, "-m", "tray", "tracker", "--idle-exit", "0.5"])
    client = wait_for(lambda: _client(places))
    for _ in range(40):
        assert client.request("status")["type"] == "status"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.02)
    client.close()
    assert process.wait(timeout=60) == 0


def _client(places: Places) -> ipc.Client | None:
    try:
        return ipc.Client(places, "tray")
    except TrackerGoneError:
        return None


def test_a_runtime_folder_that_others_can_enter_is_refused(places: Places) -> None:
    """Another user who could enter it could listen in the tracker's place."""
    places.runtime.mkdir(parents=True)
    places.runtime.chmod(0o755)
    done = subprocess.run([sys.executable, "-m", "tray", "tracker"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "others can enter it" in done.stderr
    assert "next:" in done.stderr
    with pytest.raises(TrackerGoneError):
        ipc.connect(places, timeout=1)


def test_a_caller_without_the_runtime_variable_finds_the_same_tracker(
    places: Places, tracker: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cron and systemd set no XDG_RUNTIME_DIR; the pointer in the state folder leads to the socket."""
    elsewhere = Places(places.config, places.state, places.state / "nowhere", places.log)
    client = ipc.Client(elsewhere, "wrapper")
    assert client.tracker["role"] == "tracker"
    client.close()


def test_an_older_tracker_hands_over(
    places: Places, tracker: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade the new tray does not stay with the old tracker."""
    monkeypatch.setattr(start, "__version__", "99.0")
    client = start.ensure(places, "tray")
    assert tracker.wait(timeout=60) == 0
    assert client.tracker["pid"] != tracker.pid
    client.send({"type": "handover"})
    client.close()
    wait_for(lambda: not answers(places))


def test_a_run_whose_wrapper_vanished_without_a_folder_is_forgotten(places: Places, tracker: object) -> None:
    """A dead wrapper's run does not stay on screen for ever."""
    wrapper = ipc.Client(places, "wrapper")
    publish(wrapper, live())
    assert wrapper.request("status")["runs"]
    wrapper.close()
    asking = ipc.Client(places, "cli")
    wait_for(lambda: not asking.request("status")["runs"], what="the run to go")
    asking.close()


def test_the_tracker_notes_that_the_machine_is_awake(places: Places) -> None:
    """From its start to its end; its last sign of life stays only if it was killed."""
    signs: set[bytes] = set()

    def gives_a_sign() -> bool:
        return answers(places) and places.awake_beat.exists() and places.awake_beat.read_bytes() not in signs

    for number, left in ((signal.SIGKILL, True), (signal.SIGTERM, False)):
        process = subprocess.Popen([sys.executable, "-m", "tray", "tracker"])
        wait_for(gives_a_sign, what="the tracker's own sign of life, not that of the one before")
        signs.add(places.awake_beat.read_bytes())
        process.send_signal(number)
        process.wait()
        assert places.awake_beat.exists() is left
    assert [mark.kind for mark in awake_log.read(places)] == ["beat", "beat", "beat", "end"]


def test_nothing_of_the_tracker_needs_cryptography() -> None:
    """The tracker stays small: it imports neither the signing library nor a window, nor what takes a MiB for a little help."""
    heavy = {"cryptography", "sqlite3", "PIL", "webview", "asyncio", "ssl", "psutil", "traceback"}
    code = "import sys, tray.tracker.server; print(*sys.modules)"
    loaded = subprocess.check_output(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {os.getcwd()!r}); {code}"]
    )
    assert heavy.isdisjoint(loaded.decode().split())


LOOPBACK = "from tray.ipc import endpoint; endpoint.LOOPBACK = True\n"


def test_the_way_of_windows_asks_for_a_token_and_listens_on_loopback_only(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel cannot tell who talks, a file that only the user can read does."""
    from tray.ipc import endpoint

    code = LOOPBACK + "from tray.cli.main import main; main(['tracker'])"
    process = subprocess.Popen([sys.executable, "-c", code])
    monkeypatch.setattr(endpoint, "LOOPBACK", True)
    client = wait_for(lambda: _client(places), what="the tracker")
    publish(client, live())
    assert client.request("status")["runs"][0]["run"] == "r1"
    assert places.socket.stat().st_mode & 0o777 == 0o600
    port, token = places.socket.read_text().split()
    for hello in ({"token": "wrong"}, {"token": None}, {"token": 5}, {}):
        stranger = socket.create_connection(("127.0.0.1", int(port)), 10)
        stranger.sendall(ipc.encode({**ipc.hello("cli"), **hello}) + ipc.encode({"type": "status"}))
        heard = b"".join(iter(lambda s=stranger: s.recv(65536), b""))
        assert [json.loads(line)["type"] for line in heard.splitlines()] == ["error"]
        assert token.encode() not in heard
        stranger.close()
    client.close()
    process.terminate()
    assert process.wait(60) == 0


def test_a_home_that_is_too_deep_for_a_socket_address_works_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's address may have 107 bytes; a folder's name may be longer."""
    deep = tmp_path / ("d" * 120)
    monkeypatch.setenv(paths.HOME_VARIABLE, str(deep))
    process = subprocess.Popen([sys.executable, "-m", "tray", "tracker"])
    client = wait_for(lambda: _client(paths.places()), what="the tracker")
    assert client.request("status")["runs"] == []
    client.close()
    process.terminate()
    assert process.wait(60) == 0
