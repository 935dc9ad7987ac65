"""The search for existing backups, with the real tools: each writes or checks its configuration, and runs its engine."""

import json
import os
import shlex
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.e2e import newer
from tests.e2e.program import PASSWORD, TRAY, make_repository, make_tree, start, status, tray
from tests.mounts import mounted
from tests.waiting import wait_for
from tray.core import clock, paths
from tray.takeover import crontab, discover, names
from tray.takeover.crontab import Dialect
from tray.takeover.found import Finding, Machine

SYSTEM = "/usr/local/bin:/usr/bin:/bin:/usr/sbin"
OWN_CRONTABS = """mount -t tmpfs -o mode=1730 tmpfs /var/spool/cron/crontabs
chgrp crontab /var/spool/cron/crontabs"""
"""The crontabs of this machine stay as they are."""


class Engine:
    """A stand-in for an engine that notes each command line, keeps each list in it, and then becomes the engine itself.

    Args:
        folder: The folder for it.
        name: The name of the engine's program.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.calls, self.file = folder, folder / "calls", folder / name
        folder.mkdir()
        real = f"/usr/bin/{name}"
        note = (
            f'for word in {name} "$@"; do printf "%s\\0" "$word" >>{self.calls}; case $word in */tmp*) cp "$word" {folder};; '
            f'esac; done; printf "\\n" >>{self.calls}'
        )
        self.file.write_text(f'#!/bin/sh\n{note}\nexec {real} "$@"\n')
        self.file.chmod(0o755)

    def backups(self) -> list[names.Part]:
        """The backups that it was called for, as the tracker would see them."""
        rows = self.calls.read_text().split("\0\n")[:-1]
        parts = [names.part(row.split("\0"), {}, "/", self._listed) for row in rows]
        return [part for part in parts if part.kind == "backup"]

    def _listed(self, path: str) -> str | None:
        """The text of a list that the engine got, which its tool has removed since."""
        copy = self.folder / Path(path).name
        return copy.read_text() if copy.exists() else None


def run(*argv: str | Path, home: Path, engine: Engine | None = None, check: bool = True) -> str:
    """Run a tool in *home*, with the stand-in first in PATH, and return its output."""
    path = SYSTEM if engine is None else f"{engine.folder}:{SYSTEM}"
    done = subprocess.run(
        [*map(str, argv)],
        env={
            "HOME": str(home),
            "PATH": path,
            "LANG": "C.UTF-8",
            "USER": "ann",
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        },
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert not check or done.returncode == 0, done.stdout
    return done.stdout


def search(home: Path, lines: str, root: Path | None = None) -> list[Finding]:
    """The findings for a user in *home* whose crontab holds *lines*."""
    host = os.uname().nodename
    empty = home / "nothing-of-the-system" if root is None else root
    here = Machine(
        str(empty),
        str(home),
        "ann",
        os.geteuid(),
        host,
        clock.now_ms(),
        {},
        lambda argv: lines if argv[0] == "crontab" else None,
    )
    return discover.discover(here, {})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with some files."""
    folder = tmp_path / "ann"
    make_tree(folder / "Documents")
    return folder


BORGMATIC_1 = """
location:
    source_directories:
        - {home}/Documents
    repositories:
        - {home}/a.borg
retention:
    keep_daily: 7
"""
BORGMATIC_2 = """
source_directories:
    - {home}/Documents
repositories:
    - path: {home}/a.borg
      label: near
exclude_patterns:
    - '*.tmp'
keep_daily: 7
"""


@pytest.mark.parametrize("version", [1, 2])
def test_the_runs_of_borgmatic_belong_to_its_job(home: Path, tmp_path: Path, version: int) -> None:
    """Each version takes the configuration, and the borg that it runs gets a name that the job lists."""
    borgmatic = newer.program("borgmatic") if version == 2 else "/usr/bin/borgmatic"
    checks = [borgmatic, "config", "validate"] if version == 2 else ["/usr/bin/validate-borgmatic-config"]
    config = home / ".config/borgmatic/config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text((BORGMATIC_2 if version == 2 else BORGMATIC_1).format(home=home))
    run(*checks, home=home)
    engine = Engine(tmp_path / "bin", "borg")
    run("/usr/bin/borg", "init", "-e", "none", home / "a.borg", home=home)
    (entry,) = search(home, f"15 2 * * * {borgmatic} create --verbosity 1\n")
    assert (entry.tool, entry.state, entry.schedule and entry.schedule.on) == ("borgmatic", "new", "15 2 * * *")
    for _ in range(2):
        run(borgmatic, "create", home=home, engine=engine)
    seen = {name for part in engine.backups() for name in part.names}
    assert len(engine.backups()) >= 2
    assert seen <= {*entry.matches}


def test_the_runs_of_duply_belong_to_its_job(home: Path, tmp_path: Path) -> None:
    """A profile that duply made, with its own comments and settings."""
    run("duply", "web", "create", home=home)
    conf = home / ".duply/web/conf"
    text = conf.read_text()
    for name, value in (
        ("TARGET", f"file://{home}/d"),
        ("SOURCE", f"{home}/Documents"),
        ("GPG_KEY", "disabled"),
        ("GPG_PW", "secret-word"),
    ):
        text = "".join(
            f"{name}='{value}'\n" if line.startswith(f"{name}=") else f"{line}\n" for line in text.splitlines()
        )
    conf.write_text(text)
    (entry,) = search(home, "0 3 * * 1-5 duply web backup >/dev/null\n")
    engine = Engine(tmp_path / "bin", "duplicity")
    run("duply", "web", "backup", home=home, engine=engine)
    assert {name for part in engine.backups() for name in part.names} <= {*entry.matches}
    assert engine.backups()


def test_the_runs_of_rsnapshot_belong_to_its_jobs(home: Path, tmp_path: Path) -> None:
    """rsnapshot calls its configuration fine, and each backup point is a job."""
    engine = Engine(tmp_path / "bin", "rsync")
    conf = home / "rsnapshot.conf"
    rows = [
        ("config_version", "1.2"),
        ("snapshot_root", f"{home}/snap/"),
        ("cmd_rsync", str(engine.file)),
        ("retain", "alpha", "6"),
        ("retain", "beta", "7"),
        ("lockfile", f"{home}/pid"),
        ("backup", f"{home}/Documents/", "here/"),
        ("backup", "/etc/apt/", "here/"),
    ]
    conf.write_text("".join("\t".join(row) + "\n" for row in rows))
    assert "Syntax OK" in run("rsnapshot", "-c", conf, "configtest", home=home)
    entries = search(home, f"0 */4 * * * rsnapshot -c {conf} alpha\n30 3 * * * rsnapshot -c {conf} beta\n")
    run("rsnapshot", "-c", conf, "alpha", home=home)
    assert {name for part in engine.backups() for name in part.names} <= {
        name for entry in entries for name in entry.matches
    }
    assert (len(engine.backups()), len(entries)) == (2, 2)


def test_back_in_time_s_own_crontab_line_is_understood(home: Path, tmp_path: Path) -> None:
    """Back In Time writes the line, cron takes it, and the rsync that it runs belongs to the job."""
    config = home / ".config/backintime/config"
    target = home / "target"
    config.parent.mkdir(parents=True)
    (target / "backintime/web1/ann/1").mkdir(parents=True)
    settings = {
        "name": "Docs",
        "schedule.mode": 20,
        "schedule.time": 1530,
        "snapshots.mode": "local",
        "snapshots.path": target,
        "snapshots.path.host": "web1",
        "snapshots.path.user": "ann",
        "snapshots.path.profile": 1,
        "snapshots.include.size": 1,
        "snapshots.include.1.type": 0,
        "snapshots.include.1.value": home / "Documents",
        "snapshots.exclude.size": 0,
    }
    config.write_text(
        "config.version=6\nprofiles=1\n" + "".join(f"profile1.{key}={value}\n" for key, value in settings.items())
    )
    check = "backintime check-config >&2 && crontab -l"
    lines = subprocess.run(
        mounted(OWN_CRONTABS, "sh", "-c", check),
        env={"HOME": str(home), "PATH": SYSTEM, "LANG": "C.UTF-8", "USER": "ann"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "backup-job" in lines.stdout, lines.stderr
    (entry,) = search(home, lines.stdout)
    assert (entry.tool, entry.state, entry.schedule and entry.schedule.on) == ("Back In Time", "new", "30 15 * * *")
    engine = Engine(tmp_path / "bin", "rsync")
    run("backintime", "--profile-id", "1", "backup", home=home, engine=engine)
    assert {name for part in engine.backups() for name in part.names} & {*entry.matches}


CRON_LINES = (
    *(
        "15 2 * * * a",
        "@daily a",
        "@reboot a",
        "0 3 * jan-mar mon,fri a",
        "*/15 0-5 1,15 * * a",
        "0 0 * * 7 a",
        "@hourly a",
    ),
    *(
        "61 * * * * a",
        "* 24 * * * a",
        "* * 0 * * a",
        "* * * foo * a",
        "* * * * xyz a",
        "*/0 * * * * a",
        "1 1 * *",
        "@often a",
        "a b c d e f",
    ),
)


@pytest.mark.parametrize("line", CRON_LINES)
def test_cron_agrees_on_each_line(line: str) -> None:
    """cron itself installs the lines that are read here, and refuses the others."""
    done = subprocess.run(
        mounted(OWN_CRONTABS, "crontab", "-"), input=f"{line}\n", capture_output=True, text=True, timeout=30
    )
    (read,) = crontab.lines(f"{line}\n", Dialect())
    assert (done.returncode == 0) == (not read.why), done.stderr


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("1 5 daily true\n", True),
        ("@monthly 15 m true\n", True),
        ("RANDOM_DELAY=6\n7 10 w true\n", True),
        ("x 5 d true\n", False),
        ("1 d true\n", False),
    ],
)
def test_anacron_agrees_on_each_line(tmp_path: Path, text: str, fine: bool) -> None:
    """anacron's own test of a table says the same."""
    table = tmp_path / "anacrontab"
    table.write_text(text)
    done = subprocess.run(
        ["anacron", "-T", "-t", table], capture_output=True, text=True, timeout=30, env={"PATH": SYSTEM}
    )
    assert (done.returncode == 0) == fine, done.stderr
    assert all(not line.why for line in crontab.anacron_lines(text)) == fine


def in_crontab(text: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of ours on a machine on which the user's crontab holds *text*."""
    command = ["sh", "-ec", 'crontab "$0" && exec "$@"', str(text), *TRAY, *arguments]
    return subprocess.run(mounted(OWN_CRONTABS, *command), capture_output=True, text=True, timeout=120)


def runs_of(job: str) -> list[tuple[str, str]]:
    """How each run of *job* was seen, and its outcome."""
    runs = [json.loads(line) for line in tray("history", "--json", check=True).stdout.splitlines()]
    return [(run["source"], run["outcome"]) for run in runs if run["job"] == job]


def test_the_nightly_run_of_a_crontab_belongs_to_the_job_that_watches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From cron's real table to the job, its rhythm and its runs: the wrapped one and the observed one."""
    monkeypatch.setenv("RESTIC_PASSWORD", PASSWORD)
    monkeypatch.setenv("RESTIC_CACHE_DIR", str(tmp_path / "cache"))
    source, repository = make_tree(tmp_path / "Documents"), make_repository(tmp_path / "b")
    command = ["restic", "-r", str(repository), "backup", str(source)]
    table = tmp_path / "crontab"
    table.write_text(f"RESTIC_PASSWORD='{PASSWORD}'\n15 2 * * * {shlex.join(command)} >/dev/null 2>&1\n")
    listed = in_crontab(table, "jobs", "import", "--json")
    assert PASSWORD not in listed.stdout
    entry = next(entry for entry in json.loads(listed.stdout) if entry["repository"] == str(repository))
    taken = in_crontab(table, "jobs", "import", str(entry["number"]))
    assert taken.returncode == 0, taken.stderr
    job = next(job for job in json.loads(tray("jobs", "list", "--json").stdout)["jobs"] if job["job"] == entry["name"])
    assert job["job"] == "restic-Documents"
    assert "15 2 * * *" in json.dumps(job)
    assert tray("run", "--", *command, cwd=Path.home()).returncode == 0
    assert runs_of("restic-Documents") == [("wrapped", "succeeded")]
    tracker = start("tracker")
    try:
        wait_for(lambda: tray("status", "--json").returncode in (0, 1, 2), what="the tracker")
        subprocess.run(command, check=True, capture_output=True, cwd=Path.home())
        wait_for(lambda: len(runs_of("restic-Documents")) == 2, what="the observed run")
    finally:
        tracker.terminate()
        tracker.wait(60)
    assert {source for source, _ in runs_of("restic-Documents")} == {"wrapped", "observed"}
    assert {job["job"] for job in status()["jobs"]} == {"restic-Documents"}


CONFIG = """
source_directories:
    - {source}
repositories:
    - path: {repository}
archive_name_format: '{{hostname}}-{{now}}'
local_path: {borg}
"""

WAITING = """#!{python}
import os, sys, time
lists = [open(word).read() for word in sys.argv[1:] if "/tmp" in word and os.path.isfile(word)]
while "create" in sys.argv and "--dry-run" not in sys.argv and not os.path.exists("{gate}"):
    time.sleep(0.02)
if any("/Music" in text for text in lists) and "--dry-run" not in sys.argv:
    sys.exit(2)
os.execv("/usr/bin/borg", ["borg", *sys.argv[1:]])
"""
"""A borg that waits until the test goes on, and then fails for one of the sources."""


def is_seen(name: str) -> bool:
    """Whether a run goes on whose job's name begins so."""
    return any(run["job"].startswith(name) for run in status()["runs"])


def test_two_configurations_of_borgmatic_2_into_one_repository_are_two_jobs(home: Path, tmp_path: Path) -> None:
    """Their command lines are alike but for a temporary list; the success of one does not hide the failure of the other."""
    gate, repository = tmp_path / "gate", home / "both.borg"
    borg = tmp_path / "borg"  # each backup waits until the tracker has seen it
    borg.write_text(WAITING.format(python="/usr/bin/python3", gate=gate))
    borg.chmod(0o755)
    make_tree(home / "Music", files=1)
    run("/usr/bin/borg", "init", "-e", "none", repository, home=home)
    configs = []
    for name in ("Documents", "Music"):
        configs.append(home / f"{name}.yaml")
        configs[-1].write_text(CONFIG.format(source=home / name, repository=repository, borg=borg))
    borgmatic = newer.program("borgmatic")
    tracker = start("tracker")
    try:
        wait_for((paths.places().runtime / paths.SOCKET).exists, what="the tracker")
        for config in configs:
            gate.unlink(missing_ok=True)
            process = subprocess.Popen(
                [borgmatic, "-c", config, "create"],
                env={**os.environ, "HOME": str(home), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"},
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                name = f"borg {config.stem} "  # not the rehearsal that borgmatic makes before it
                wait_for(partial(is_seen, name), what="the observed run")
            finally:
                gate.touch()
                process.wait(60)
            wait_for(lambda: not status()["runs"], what="the end of the run")
        states = {job["job"]: job["state"] for job in status()["jobs"] if "dry-run" not in job["job"]}
    finally:
        tracker.terminate()
        tracker.wait(20)
    assert sorted(states.values()) == ["failed", "ok"], states
    assert all(("Music" in name) == (state == "failed") for name, state in states.items()), states
