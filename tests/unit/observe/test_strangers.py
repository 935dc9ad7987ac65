"""Another user's processes cannot disturb the observer, which only tells them apart."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.unit.observe.help import FakeProc
from tray import runs as runs_module
from tray import wording
from tray.cli import status as cli_status
from tray.core import clock
from tray.core.errors import BackupTrayError
from tray.core.model import EndedRun, JobHistory, LiveRun, Outcome, State, judge
from tray.core.paths import Places
from tray.observe import scope
from tray.observe.ends import BY_PIDFD, End
from tray.observe.examine import examine, gather
from tray.observe.meter import Meter
from tray.observe.proc import COMMAND_BYTES, CUT, WORD_BYTES, WORDS
from tray.observe.scope import LIVE, Quota, Scope, user_name
from tray.repository import new_snapshots
from tray.tracker import observer as observer_module
from tray.tracker import sighting
from tray.tracker.observer import Observer
from tray.tracker.state import Runs

ME = os.geteuid()
STRANGER = 33 if ME != 33 else 34


class Counted(FakeProc):
    """A process list that counts what is read of it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: Counter[str] = Counter()

    def _read(self, name: str, most: int, *, line: bool = False) -> bytes:
        self.reads[name.rpartition("/")[2]] += 1
        return super()._read(name, most, line=line)


class _Still:
    """A loop in which nothing comes."""

    def watch(self, *_: object) -> None:
        """Wait for nothing."""


LOOP: Any = _Still()


@pytest.fixture
def proc(tmp_path: Path) -> Counted:
    """An empty process list."""
    return Counted(tmp_path / "proc")


def observer(places: Places, proc: FakeProc, runs: Runs) -> Observer:
    """Return an observer that looks only when told to."""
    made = Observer(places, runs.start, runs.at, LOOP, lambda _: None, proc=proc)
    made._scope = Scope(ME, setting="all")
    return made


@pytest.mark.parametrize("size", [60_000, 1_000_000, 5_000_000])
def test_of_a_command_line_of_any_size_only_so_much_is_read(proc: Counted, size: int) -> None:
    """Whatever runs on it afterwards has a bound, and what was cut says so."""
    proc.add(5, "restic", "-r", "/r", "backup", "@" + "x://y:" * (size // 6), uid=STRANGER)
    proc.add(6, "restic", "backup", *["/a"] * (size // 3), uid=STRANGER)
    for pid in (5, 6):
        words = proc.command(pid)
        assert len(words) <= WORDS + 1
        assert all(len(os.fsencode(word)) <= WORD_BYTES for word in words)
        assert sum(map(len, words)) <= COMMAND_BYTES
        assert words[-1].endswith(CUT)


def test_a_cut_command_line_never_counts_as_wholly_understood(proc: Counted) -> None:
    """A source that was not read may be missing, so such a run is no success by inference."""
    proc.add(5, "restic", "-r", "/r", "backup", "/a", "/b" * 5000, environ={})
    facts = gather(proc, 5)
    found = None if facts is None else examine(proc, facts, Scope(ME))
    assert found is not None
    assert not found.whole
    assert sighting.info_of(found).seen["sure"] is False  # type: ignore[index]


def test_an_environment_of_any_size_tells_its_first_value_cut(proc: Counted) -> None:
    """As the engine itself sees it: the first of two counts, and a name inside another value is none."""
    proc.add(5, "restic", "backup", "/a", environ={"X": "RESTIC_REPOSITORY=/no", "RESTIC_REPOSITORY": "/r" * 9000})
    assert proc.environ(5, ("RESTIC_REPOSITORY", "PWD")) == {"RESTIC_REPOSITORY": ("/r" * 9000)[:WORD_BYTES]}


def test_what_is_out_of_scope_is_not_even_read(places: Places, proc: Counted) -> None:
    """Whose it is comes first: a stranger's process costs one short file."""
    for pid in range(100, 400):
        proc.add(pid, "restic", "backup", "x" * 60_000, uid=STRANGER)
    watching = observer(places, proc, Runs())
    watching._scope = Scope(ME, setting="")
    watching._scope = type("Nobody", (), {"user": lambda *_: False})()
    watching._consider(list(range(100, 400)))
    assert set(proc.reads) == {"status"}
    assert proc.reads["status"] == 300


def test_a_chain_of_a_thousand_equal_processes_costs_a_bounded_look(proc: Counted) -> None:
    """No attacker makes the observer climb without end: neither by recursion nor by reading."""
    for pid in range(100, 1200):
        proc.add(pid, "restic", "-r", "/r", "backup", "/a", parent=pid - 1 if pid > 100 else 1, environ={})
    assert gather(proc, 1199) is None, "what is deep in a chain begins nothing"
    assert sum(proc.reads.values()) < 500
    near = gather(proc, 130)
    assert near is not None
    assert near.pid == 100, "rsync is three processes with the same words, and the first is the run"


def test_a_chain_ends_where_another_user_begins(proc: Counted) -> None:
    """A process of ours is never taken for a part of a stranger's."""
    proc.add(100, "restic", "backup", "/a", uid=STRANGER, environ={})
    proc.add(101, "restic", "backup", "/a", parent=100, environ={})
    facts = gather(proc, 101)
    assert facts is not None
    assert (facts.pid, facts.uid) == (101, ME)


def test_a_set_uid_program_belongs_to_who_started_it(proc: Counted) -> None:
    """A link named restic to sudo runs as root with a stranger's words."""
    proc.add(5, "restic", "backup", "/a", environ={})
    path = proc.folder_ / "5" / "status"
    path.write_text(f"Name:\trestic\nUid:\t{STRANGER}\t{ME}\t{ME}\t{ME}\n")
    assert proc.uid(5) == STRANGER
    program = proc.folder_ / "sudo"
    program.write_bytes(b"")
    program.chmod(0o4755)
    (proc.folder_ / "5" / "exe").symlink_to(program)
    assert proc.set_uid(5)


def test_of_another_user_ten_runs_are_watched_and_the_limit_is_said(
    places: Places, proc: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One who starts a hundred neither fills our disk nor hides our own run."""
    monkeypatch.setattr(observer_module, "STRANGERS_SECONDS", 60.0)  # however slow this machine is just now
    runs = Runs()
    watching = observer(places, proc, runs)
    for pid in range(100, 200):
        proc.add(pid, "restic", "-r", f"/r{pid}", "backup", "/a" * 3000, uid=STRANGER, start=pid)
    proc.add(900, "restic", "-r", "/mine", "backup", "/a", start=900, environ={})

    watching._consider([*range(100, 200), 900])
    users = Counter(run.user for run in runs.all())
    assert users == {user_name(STRANGER): LIVE, None: 1}
    (note,) = watching._limits()
    assert user_name(STRANGER) in note
    kept = sum(path.stat().st_size for path in places.runs.rglob("run.json"))
    assert kept < 11 * 3000
    assert len({run.job for run in runs.all() if run.user}) == 1, "one row for each engine and user"


def test_a_mistake_of_ours_at_its_end_leaves_no_run_open(
    places: Places, proc: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seen facts are then unknown; the run is over all the same, and its folder free for the process that closes it."""
    ended: list[str] = []
    watching = Observer(places, lambda _: None, lambda _: [], LOOP, ended.append, proc=proc)
    watching._scope = Scope(ME, setting="all")
    proc.add(900, "restic", "-r", "/mine", "backup", "/a", start=900, environ={})
    monkeypatch.setattr(observer_module, "seen_of", lambda *_, **__: 1 // 0)

    watching._consider([900])
    (one,) = watching._watched.values()
    with pytest.raises(ZeroDivisionError):
        watching._ended(one, End(0, None, BY_PIDFD))
    (folder,) = runs_module.live(places)
    assert ended == [folder.run]
    assert not folder.wrapped
    assert not watching._watched


def test_thousands_of_user_ids_share_one_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    """User namespaces give one person 65,536 of them."""
    now = [1000.0]
    monkeypatch.setattr(scope.clock, "monotonic", lambda: now[0])
    left = Quota(ME)
    assert sum(left.look(uid) for uid in range(100_000, 110_000)) == scope.ALL_LOOKS
    assert sum(left.begin(uid) for uid in range(100_000, 110_000)) == LIVE * scope.ALL_FACTOR
    assert all(left.look(ME) and left.begin(ME) for _ in range(10_000))
    assert "more users" in left.notes()[0]
    now[0] += scope.SAID_SECONDS + 1
    assert left.notes() == ()
    assert left.look(100_000)


def test_a_run_that_ends_gives_its_place_back() -> None:
    """A service that backs up all day long stays watched."""
    left = Quota(ME)
    for _ in range(int(scope.RUNS_AN_HOUR)):
        assert left.begin(STRANGER)
        left.end(STRANGER)
    assert not left.begin(STRANGER)


def test_of_another_users_run_no_path_is_looked_at(proc: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root does not tell a stranger whether a file exists: not at the beginning, not at the end."""

    def forbidden(*_: object) -> None:
        raise AssertionError("a path was looked at")

    for name in ("missing", "snapshots"):
        monkeypatch.setattr(new_snapshots, name, forbidden)
    proc.add(5, "restic", "-r", "/root/r", "backup", "/root/a", "/root/b", uid=STRANGER, environ={})
    facts = gather(proc, 5)
    found = None if facts is None else examine(proc, facts, Scope(ME, setting="all"))
    assert found is not None
    info = sighting.info_of(found)
    end = observer_module.End(0, None, "exit status by pidfd")
    assert sighting.seen_of(info, end, alone=True)["here"] is False


def history(job: str, outcome: Outcome, user: str | None = None, **more: object) -> JobHistory:
    """Return a job whose last run came to *outcome* just now."""
    run = EndedRun(job, job, "restic", outcome, None, clock.now_ms(), user=user)
    return JobHistory(job, run, run if outcome is Outcome.SUCCEEDED else None, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("theirs", list(Outcome))
@pytest.mark.parametrize("mine", list(Outcome))
def test_what_others_run_makes_my_answer_neither_green_nor_red(mine: Outcome, theirs: Outcome) -> None:
    """Any user can start a program called restic and let it end with any code."""
    now, home, other = clock.now_ms(), history("home", mine), history("restic (games)", theirs, "games")
    alone = judge.judge(now, [], [home])
    both = judge.judge(now, [], [home, other])
    assert (both.state, both.last) == (alone.state, alone.last)
    assert judge.judge(now, [], [other]).state is State.NONE
    row = next(job for job in both.jobs if job.job == "restic (games)")
    assert (row.state, row.concern) == (State.NONE, judge.NOT_OURS)


def test_a_run_of_another_user_is_shown_and_changes_no_state() -> None:
    """It stands in the list of what runs, with its user."""
    run = LiveRun("r", "restic (games)", "restic", clock.now_ms(), user="games", stalled=True)
    told = judge.judge(clock.now_ms(), [run], [])
    assert (told.state, told.runs, told.jobs) == (State.NONE, (run,), ())


def test_another_users_run_does_not_shake_the_evidence_of_mine() -> None:
    """Who names my repository in a command line makes my success no "unknown"."""
    runs = Runs()
    runs.start(LiveRun("theirs", "restic (games)", "restic", 1, repository="/r", user="games"))
    runs.start(LiveRun("mine", "home", "restic", 1, repository="/r"))
    assert runs.at("/r") == ["mine"]


def test_errors_of_this_kind_have_a_catalogue_entry() -> None:
    """A tracker that exists and is silent is told apart from none at all."""
    from tray.core.errors import TrackerGoneError

    there, gone = TrackerGoneError("It hangs.", there=True, pid=5), TrackerGoneError("No tracker is running.")
    assert isinstance(there, BackupTrayError)
    assert "kill -9 5" in there.next
    assert "kill" not in gone.next


def test_our_own_processes_are_looked_at_before_a_crowd_of_others(
    places: Places, proc: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup of ours is seen at once, however many of another user wait, and these get only a moment."""
    runs, now = Runs(), [1000.0]
    watching = observer(places, proc, runs)
    for pid in range(100, 400):
        proc.add(pid, "restic", "-r", f"/r{pid}", "backup", "/a", uid=STRANGER, start=pid, environ={})
    proc.add(900, "restic", "-r", "/mine", "backup", "/a", start=900, environ={})
    looked: list[int] = []

    def look(pid: int, uid: int) -> None:
        looked.append(pid)
        now[0] += 0.05

    monkeypatch.setattr(watching, "_look", look)
    monkeypatch.setattr(observer_module.clock, "monotonic", lambda: now[0])
    watching._consider([*range(100, 400), 900])
    assert looked[0] == 900
    assert len(looked) <= 1 + observer_module.STRANGERS_SECONDS / 0.05 + 1
    assert len(watching._lister._fresh) <= observer_module.STRANGERS_WAITING
    assert watching._limits(), "those that were left out are said"


def test_with_a_hundred_of_ours_the_next_ones_cost_nothing_more(
    places: Places, proc: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that they are not watched is said."""
    watching = observer(places, proc, Runs())
    watching._ours = observer_module.MAX_RUNS
    proc.add(5, "restic", "-r", "/r", "backup", "/a", environ={})
    monkeypatch.setattr(observer_module, "examine", lambda *_: pytest.fail("it was examined"))
    watching._consider([5])
    assert "more than 100 backups" in watching._limits()[0]
    assert proc.reads["environ"] == 0


def test_the_folders_of_known_runs_are_read_once(
    places: Places, proc: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a hundred live runs each look at one more process does not read a hundred files."""
    watching = observer(places, proc, Runs())
    for pid in range(100, 120):
        proc.add(pid, "restic", "-r", f"/r{pid}", "backup", "/a", start=pid, environ={})

    watching._consider(list(range(100, 120)))
    known = watching._processes()
    assert {f"{pid}@{pid}" for pid in range(100, 120)} <= known
    monkeypatch.setattr(runs_module.RunFolder, "info", lambda _: pytest.fail("a file was read again"))
    assert watching._processes() == known


def test_of_another_users_process_no_open_file_is_named(proc: Counted) -> None:
    """Their names are that user's, and there may be half a million."""
    proc.add(5, "restic", uid=STRANGER, environ={}, io=(0, 0))
    proc.opened(5, 7, "/home/games/secret")
    assert Meter(proc, 5, ours=False).read(1.0).current is None
    assert Meter(proc, 5).read(1.0).current == "/home/games/secret"


@pytest.mark.parametrize("mine", [None, Outcome.SUCCEEDED, Outcome.FAILED])
def test_no_sentence_speaks_of_what_others_run(mine: Outcome | None) -> None:
    """Headline, tooltip and menu are the same with and without a hundred runs of another user; the list shows them."""
    now = clock.now_ms()
    home = [] if mine is None else [history("home", mine)]
    live = [LiveRun(f"r{place}", "restic (games)", "restic", now, user="games") for place in range(100)]
    alone = judge.judge(now, [], home)
    among = judge.judge(now, live, [*home, history("restic (games)", Outcome.FAILED, "games")])
    for say in (wording.headline, wording.tooltip, wording.lines, wording.menu_lines):
        assert say(among, now) == say(alone, now), say
    assert among.notes == alone.notes == ()
    assert len(among.runs) == 100
    assert among.own_runs == ()
    assert wording.job_word(among.jobs[-1]) == "Not counted"
    assert "Not counted" in cli_status.text(among)
