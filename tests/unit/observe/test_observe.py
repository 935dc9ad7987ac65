import os
import subprocess
from pathlib import Path

import pytest

from tests.unit.observe.help import FakeProc
from tests.waiting import wait_for
from tray.observe import examine as examine_module
from tray.observe.examine import Found, examine, gather, wraps
from tray.observe.lister import LIST_EVERY, Lister
from tray.observe.meter import Meter
from tray.observe.proc import Proc
from tray.observe.scope import Scope, user_name
from tray.repository import new_snapshots

ME = os.geteuid()


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    """An empty process list."""
    return FakeProc(tmp_path / "proc")


def found(proc: FakeProc, pid: int, scope: Scope | None = None) -> Found | None:
    """Take a closer look at a process, as the tracker of this user without BACKUP_TRAY_HOME."""
    facts = gather(proc, pid)
    return None if facts is None else examine(proc, facts, scope or Scope(ME))


def test_a_name_with_blanks_and_parentheses_hides_no_field(proc: FakeProc) -> None:
    """An attacker who calls a program `) R 1` cannot make us misread its parent."""
    proc.add(5, "/bin/x", comm=") R 1 (x", parent=77, start=4242, environ={})
    stat = proc.stat(5)
    assert stat is not None
    assert (stat.state, stat.parent, stat.start) == ("S", 77, "4242")


def test_the_real_process_list_says_the_same_of_ourselves_as_the_system() -> None:
    """The values that we read from /proc mean the same as the system's own."""
    proc, pid = Proc(), os.getpid()
    stat = proc.stat(pid)
    assert stat is not None
    assert stat.parent == os.getppid()
    assert proc.uid(pid) == ME
    assert proc.folder(pid) == os.getcwd()
    assert pid in proc.pids()
    assert proc.environ(pid, ("PATH",)) == {"PATH": os.environ["PATH"]}
    assert proc.here(pid)
    assert abs(proc.started_ms(stat.start) / 1000 - os.stat(f"/proc/{pid}").st_ctime) < 30


def test_a_new_engine_is_told_once(proc: FakeProc) -> None:
    """Each process is looked at once, not every second."""
    lister = Lister(proc)
    proc.add(10, "sleep", "9")
    assert lister.look() == []
    assert lister.settled() == []
    proc.add(11, "restic", "backup", "/home")
    proc.add(12, "/opt/restic019", "backup", "/home")
    proc.add(13, "python3", "-m", "borg", "create")
    assert lister.look() == []
    assert lister.fresh
    assert lister.settled() == [11, 12, 13]
    assert (lister.look(), lister.fresh, lister.settled()) == ([], False, [])


def test_a_shell_that_becomes_an_engine_is_noticed(proc: FakeProc) -> None:
    """`exec restic backup` as the last line of a script makes no new process."""
    lister = Lister(proc)
    proc.add(10, "sh", "nightly.sh")
    lister.look()
    assert lister.settled() == []
    proc.add(10, "restic", "backup", "/home")
    assert lister.look() == [10]
    assert lister.look() == []


def test_a_shell_whose_number_is_given_again_is_not_taken_for_the_other(proc: FakeProc) -> None:
    """The name that is asked again is that of one process; the other process is found as a new one."""
    lister = Lister(proc)
    proc.add(10, "sh", "nightly.sh")
    lister.look()
    assert lister.settled() == []
    proc.remove(10)
    proc.add(10, "restic", "backup", "/home")
    assert lister.look() == [10]
    proc.remove(10)
    assert lister.look() == []


def test_shells_beyond_those_that_are_held_are_asked_too(proc: FakeProc, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with thousands of shells takes no more descriptors, and one without a free descriptor misses nothing either."""
    monkeypatch.setattr("tray.observe.lister.HELD", 1)
    lister = Lister(proc)
    for pid in (10, 11, 12):
        proc.add(pid, "sh", "nightly.sh")
    lister.look()
    assert lister.settled() == []
    for pid in (10, 11, 12):
        proc.add(pid, "restic", "backup", "/home")
    assert lister.look() == [10, 11, 12]


@pytest.mark.process
def test_the_name_of_a_process_holds_until_it_becomes_another_program_or_ends() -> None:
    """The kernel tells it through a file that stays open."""
    shell = subprocess.Popen(["sh", "-c", "read x; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert shell.stdin is not None
    assert shell.stdout is not None
    proc = Proc()
    wait_for(lambda: proc.comm(shell.pid) == "sh", what="the shell")
    name = proc.name(shell.pid, "sh")
    assert name is not None
    assert name.holds()
    shell.stdin.write(b"\nso\n")
    shell.stdin.flush()
    assert shell.stdout.read(2) == b"so"
    assert not name.holds()
    name = proc.name(shell.pid, "cat")
    assert name is not None
    assert name.holds()
    shell.communicate()
    assert not name.holds()
    assert proc.name(shell.pid, "cat") is None


def test_nothing_new_costs_one_read(proc: FakeProc) -> None:
    """While the newest pid stays the same, the folder is not listed."""
    (proc.folder_ / "loadavg").write_text("0.1 0.1 0.1 1/99 4711\n")
    lister = Lister(proc)
    lister.look()
    proc.add(4712, "restic", "backup", "/home")
    assert (lister.look(), lister.fresh) == ([], False)
    (proc.folder_ / "loadavg").write_text("0.1 0.1 0.1 1/99 4712\n")
    lister.look()
    assert lister.settled() == [4712]


def newest(proc: FakeProc, pid: int) -> None:
    """Let the kernel have given this number last."""
    (proc.folder_ / "loadavg").write_text(f"0.1 0.1 0.1 1/99 {pid}\n")


def test_only_numbers_that_were_given_since_are_probed(proc: FakeProc, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand idle processes cost nothing when one more begins; a burst, and now and then a look, take the whole list."""
    proc.add(4000, "sleep", "9")
    newest(proc, 4000)
    lister, listed = Lister(proc), list[None]()
    real = proc.pids
    monkeypatch.setattr(proc, "pids", lambda: listed.append(None) or real())
    lister.look()
    lister.settled()
    for pid in range(4001, 4000 + LIST_EVERY):
        proc.add(pid, "restic", "backup", "/home")
        newest(proc, pid)
        lister.look()
        assert lister.settled() == [pid]
    assert len(listed) == 1
    for pid in (4100, 5000):
        newest(proc, pid)
        proc.add(pid, "restic", "backup", "/home")
        lister.look()
        assert lister.settled() == [pid]
    assert len(listed) == 3


def test_a_container_whose_newest_number_is_the_hosts_is_listed_at_each_look(proc: FakeProc) -> None:
    """lxcfs lays a file of its own over /proc/loadavg; its numbers say only that something began."""
    overlaid = os.memfd_create("loadavg")
    try:
        (proc.folder_ / "loadavg").symlink_to(f"/proc/self/fd/{overlaid}")
        lister = Lister(proc)
        for pid, hosts in ((410, 90_000), (411, 90_001), (412, 90_002), (413, 7)):
            proc.add(pid, "restic", "backup", "/home")
            os.pwrite(overlaid, f"0.1 0.1 0.1 1/99 {hosts:05}\n".encode(), 0)
            lister.look()
            assert lister.settled() == [pid]
    finally:
        os.close(overlaid)


def test_a_process_list_of_another_namespace_is_listed_at_each_look(proc: FakeProc) -> None:
    """After `unshare --pid` alone, /proc names the processes outside, and its loadavg the newest one inside."""
    (proc.folder_ / "self").symlink_to("4711")
    lister = Lister(proc)
    for pid, inside in ((4710, 5), (4712, 6)):
        proc.add(pid, "restic", "backup", "/home")
        newest(proc, inside)
        lister.look()
        assert lister.settled() == [pid]


def test_a_thread_is_not_taken_for_a_process(proc: FakeProc) -> None:
    """/proc tells the name and the words of its process under its number too; restic has a dozen."""
    newest(proc, 100)
    lister = Lister(proc)
    lister.look()
    for pid in (101, 102):
        proc.add(pid, "restic", "backup", "/home")
        (proc.folder_ / str(pid) / "status").write_text("Name:\trestic\nUmask:\t0022\nState:\tS\nTgid:\t101\n")
    newest(proc, 102)
    lister.look()
    assert lister.early() == [101]
    assert lister.look() == []
    assert lister.settled() == []
    proc.add(103, "restic", "backup", "/home")
    newest(proc, 103)
    lister.look()
    assert lister.settled() == [103]


def test_numbers_that_are_given_again_are_new_processes(proc: FakeProc) -> None:
    """After the highest number the kernel begins anew, and may give one that was known a second ago."""
    for pid in (300, 301, 32_700):
        proc.add(pid, "sleep", "9")
    newest(proc, 32_700)
    lister = Lister(proc)
    lister.look()
    lister.settled()
    proc.add(301, "restic", "backup", "/home")
    proc.add(32_701, "borg", "create", "/r::a", "/home")
    newest(proc, 301)
    lister.look()
    assert lister.settled() == [301, 32_701]


def test_a_restic_backup_is_found_with_what_its_environment_names(proc: FakeProc) -> None:
    """The repository may stand in RESTIC_REPOSITORY; relative paths count from the working folder."""
    environ = {"RESTIC_REPOSITORY": "repo", "RESTIC_PASSWORD": "s3cret-pw"}
    proc.add(20, "restic", "backup", "src", environ=environ, cwd="/srv")
    run = found(proc, 20)
    assert run is not None
    assert (run.engine, run.kind, run.repository, run.sources) == ("restic", "backup", "/srv/repo", ("/srv/src",))
    assert (run.job, run.user) == ("restic /srv/src to /srv/repo", None)
    assert "s3cret-pw" not in repr(run)


def test_a_run_in_a_container_is_another_job_than_ours_of_the_same_words(proc: FakeProc, tmp_path: Path) -> None:
    """Its `/repo` is not our `/repo`: its success says nothing about ours."""
    jobs = set()
    for pid, root in ((20, Path("/")), (21, tmp_path)):
        proc.add(pid, "borg", "create", "/repo::a", "/data", environ={})
        (proc.folder_ / str(pid) / "root").symlink_to(root)
        facts = gather(proc, pid)
        assert facts is not None
        found = examine(proc, facts, Scope(os.geteuid()))
        assert found is not None
        jobs.add(found.job)
    assert jobs == {"borg /data to /repo with archive=a", "borg /data to /repo with archive=a (container)"}


def test_what_tells_jobs_apart_is_read_of_an_observed_process_too(proc: FakeProc) -> None:
    """It gets the name that the wrapper gives it, whose variables and caller's number it knows; no password is in it."""
    shell = "sshpass -p s3cret-pw ssh -p 2222"
    proc.add(4710, "sh", "nightly.sh")
    proc.add(4711, "restic", "-r", "/r", "backup", "/srv", environ={"RESTIC_HOST": "web1"}, parent=4710)
    proc.add(4712, "rsync", "-a", "/srv", "h:/bk-4710", environ={"RSYNC_RSH": shell}, parent=4710)
    names = [run.job for pid in (4711, 4712) if (run := found(proc, pid)) is not None]
    assert names == ["restic /srv to /r with host=web1", "rsync /srv to h:/bk-PID with rsh=sshpass -p *** ssh -p 2222"]


def test_of_another_user_only_the_command_line_counts(proc: FakeProc) -> None:
    """Facts that the kernel hides stay unknown, and the run is labelled with its user."""
    proc.add(21, "restic", "backup", "/etc", uid=1, environ=None)
    run = found(proc, 21, Scope(4711))
    assert run is not None
    assert (run.repository, run.user, run.folder) == (None, user_name(1), None)
    assert run.job == f"restic ({user_name(1)})"


@pytest.mark.parametrize(
    "argv",
    [
        ["restic", "snapshots"],
        ["restic", "mount", "/mnt"],
        ["restic", "--help"],
        ["rsync", "--server", "-logDtpre.iLsfxCIvu", ".", "/backup"],
        ["rsync", "--daemon"],
        ["resticprofile", "backup"],
        ["restic-browser"],
        ["vim", "restic", "backup"],
        ["python3", "restic.py", "backup"],
        [],
    ],
)
def test_what_is_no_run_of_an_engine_is_none(proc: FakeProc, argv: list[str]) -> None:
    """No list of snapshots, no server half, no editor is ever shown as a backup."""
    proc.add(22, *argv, comm="restic", environ={})
    assert found(proc, 22) is None


@pytest.mark.parametrize(
    "argv",
    [
        ["restic", "-r", "rest:https://ann:hunter22@nas/x", "backup", "/a"],
        ["restic", "-r", "s3:x", "--option", "s3.secret=hunter22", "backup", "/a"],
        ["restic", "-r", "/x", "--password-command", "echo hunter22", "backup", "/a"],
    ],
)
def test_secrets_of_a_command_line_are_hidden(proc: FakeProc, argv: list[str]) -> None:
    """The observer hides another user's password too."""
    proc.add(23, *argv, environ={})
    run = found(proc, 23)
    assert run is not None
    assert "hunter22" not in repr(run)


@pytest.mark.parametrize(
    ("scope", "uid", "home", "counts"),
    [
        (Scope(1000), 1000, None, True),
        (Scope(1000), 0, None, True),
        (Scope(1000, others=lambda: False), 0, None, False),
        (Scope(1000, others=lambda: False), 1000, None, True),
        (
            Scope(1000, others=lambda: False),
            1001,
            None,
            True,
        ),  # another person's: root's instance does not look at those
        (Scope(0), 33, None, True),
        (Scope(0), 61500, None, True),
        (Scope(0), 1000, None, False),
        (Scope(0, setting="all"), 1000, None, True),
        (Scope(1000), 1000, "/trial", False),
        (Scope(1000, "/trial"), 1000, None, False),
        (Scope(1000, "/trial"), 1000, "/trial/", True),
        (Scope(1000, "/trial"), 1000, "/other", False),
        (Scope(1000, "/trial", "all"), 1000, None, True),
        (Scope(1000, "/trial", "all"), 1000, "/other", False),
    ],
)
def test_whose_processes_count(proc: FakeProc, scope: Scope, uid: int, home: str | None, counts: bool) -> None:
    """Root looks at the system, a user at the processes that no other tracker shows, a trial at itself only."""
    proc.add(24, "restic", "backup", "/a", uid=uid, environ={} if home is None else {"BACKUP_TRAY_HOME": home})
    assert (found(proc, 24, scope) is not None) == counts


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["backup-tray", "run", "--", "restic"], True),
        (["/usr/bin/python3", "/home/a/.local/bin/backup-tray", "backup", "home"], True),
        (["python3", "-m", "tray", "run", "--job", "x", "--", "sh"], True),
        (["python3", "-m", "tray", "tracker"], False),
        (["backup-tray", "status"], False),
        (["sh", "tray", "run"], False),
        (["backup-tray"], False),
    ],
)
def test_a_wrapper_is_known_by_its_command_line(argv: list[str], expected: bool) -> None:
    """A wrapper has already recorded the commands below it, also those of another user's wrapper."""
    assert wraps(argv) == expected


def test_what_a_wrapper_started_is_marked(proc: FakeProc) -> None:
    """However deep below, and although only command lines can be read."""
    proc.add(30, "python3", "-m", "tray", "run", "--", "./nightly.sh")
    proc.add(31, "sh", "nightly.sh", parent=30)
    proc.add(32, "restic", "backup", "/a", parent=31, environ={})
    proc.add(33, "restic", "backup", "/a", parent=1, environ={})
    wrapped = [facts.wrapped for pid in (32, 33) if (facts := gather(proc, pid)) is not None]
    assert wrapped == [True, False]


def test_an_engine_that_breaks_on_a_command_line_breaks_nothing_else(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Command lines come from anybody."""

    def broken(*_: object) -> None:
        raise RecursionError

    proc.add(25, "restic", "backup", "/a", environ={})
    monkeypatch.setattr(examine_module, "_planned", broken)
    assert found(proc, 25) is None


def test_the_rate_is_what_the_process_reads(proc: FakeProc) -> None:
    """Ten megabytes in two seconds are five a second."""
    meter = Meter(proc, 40)
    proc.add(40, "restic", environ={}, io=(1_000_000, 0))
    assert meter.read(100.0).bytes_per_second is None
    proc.add(40, "restic", environ={}, io=(11_000_000, 0))
    assert meter.read(102.0).bytes_per_second == 5_000_000


def test_noise_is_no_progress_and_a_pause_no_stall(proc: FakeProc) -> None:
    """A lock that is renewed every five minutes must not make a run that hangs look alive."""
    meter = Meter(proc, 41)
    for second in range(0, 601, 5):
        proc.add(41, "restic", environ={}, io=(5_000_000 + second * 10, 0))
        reading = meter.read(1000.0 + second)
    assert reading.idle_seconds >= 600
    proc.add(41, "restic", environ={}, io=(9_000_000, 0))
    assert meter.read(1601.0).idle_seconds == 0
    proc.add(41, "restic", environ={}, io=(9_000_000, 0), state="T")
    reading = meter.read(9000.0)
    assert (reading.paused, reading.idle_seconds) == (True, 0)


def test_of_another_user_the_processor_time_is_the_sign_of_life(proc: FakeProc) -> None:
    """Its I/O is not ours to read; no stall is claimed while it works."""
    meter = Meter(proc, 42)
    for second in range(0, 700, 10):
        proc.add(42, "restic", environ=None, ticks=second * 10)
        reading = meter.read(1000.0 + second)
    assert (reading.bytes_per_second, reading.idle_seconds) == (None, 0)


def test_the_current_file_is_one_of_the_source(proc: FakeProc) -> None:
    """No pack file of the repository, no library, no file that is written."""
    proc.add(43, "restic", environ={})
    for number, path in enumerate(("/repo/data/ab", "/home/a/doc.odt", "/usr/lib/x.so", "/repo/index"), 3):
        proc.opened(43, number, path)
    proc.opened(43, 20, "/home/a/out", flags="0100001")
    proc.opened(43, 21, "/home/a", flags="02200000")
    assert Meter(proc, 43, ["/home"], ["/repo"]).read(1.0).current == "/home/a/doc.odt"
    assert Meter(proc, 43, ["/etc"], ["/repo"]).read(1.0).current is None
    assert Meter(proc, 43, [], ["/repo"]).read(1.0).current == "/home/a/doc.odt"


def test_a_missing_source_is_noticed_where_that_matters(tmp_path: Path) -> None:
    """restic before 0.19 exits 0 with one of several sources missing; what cannot be looked at is not called complete."""
    here, gone = str(tmp_path), str(tmp_path / "gone")
    assert new_snapshots.missing([here, here]) == ([], True)
    assert new_snapshots.missing([here, gone]) == ([gone], True)
    assert new_snapshots.missing([gone]) == ([], True)  # all of them missing is an exit code of its own
    assert new_snapshots.missing(["listed in /x"]) == ([], False)
    assert new_snapshots.missing([here, "relative"]) == ([], False)


def test_only_a_snapshot_of_that_time_proves_anything(tmp_path: Path) -> None:
    """Last night's snapshot says nothing about tonight."""
    snapshots = tmp_path / "repo" / "snapshots"
    snapshots.mkdir(parents=True)
    for number, when in enumerate((100, 200, 300)):
        name = snapshots / (f"{number}" * 64)
        name.touch()
        os.utime(name, (when, when))
    repository = str(tmp_path / "repo")
    assert [ms for ms, _ in new_snapshots.snapshots("restic", repository, 150_000, 250_000)] == [200_000]
    assert new_snapshots.snapshots("restic", repository, 301_000, 400_000) == []
    assert new_snapshots.snapshots("borg", repository, 0, 400_000) == []
    assert new_snapshots.snapshots("restic", "s3:bucket", 0, 400_000) == []


def test_a_part_of_an_engine_tells_of_the_one_that_began(proc: FakeProc) -> None:
    """rsync is three processes with the same words; whichever is seen first, it is one run."""
    words = ("rsync", "-a", "/src/", "/dst/")
    proc.add(29, "sh", "nightly.sh", environ={})
    proc.add(30, *words, parent=29, environ={})
    proc.add(31, *words, parent=30, environ={})
    proc.add(32, *words, parent=31, environ={})
    assert {facts.pid for pid in (32, 30, 31) if (facts := gather(proc, pid)) is not None} == {30}
