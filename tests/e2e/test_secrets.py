"""No file under the state folder, and no answer of the program, holds a secret of a command that ran with real engines."""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.program import start, tray
from tests.waiting import wait_for
from tray.core.paths import Places
from tray.system.answers import Answers

SECRET = "S3cretXy7Q"
NOWHERE = "127.0.0.1:1"
EMPTY = "a-server-that-has-nothing"
KEY = "MIIEowIBAAKCAQEAx4UbaDzY5xjW6hc9jwN0mX33XpTDVW6WqHp9Zq"
Case = tuple[list[str], dict[str, str], list[str]]

CASES: dict[str, Case] = {
    "restic-address": (["restic", "-r", f"rest:http://me:{SECRET}@{EMPTY}/r", "backup", "src"], {}, []),
    "restic-variable": (["restic", "backup", "src"], {"RESTIC_REPOSITORY": f"rest:http://me:{SECRET}@{EMPTY}/r"}, []),
    "restic-sshpass": (
        ["restic", "-r", "sftp:u@h:/r", "-o", f"sftp.command=sh -c 'echo {SECRET} >&2; exit 1'", "backup", "src"],
        {"RESTIC_PASSWORD": SECRET},
        [],
    ),
    "restic-file": (["restic", "-r", "nowhere", "--password-file", "pw", "backup", "src"], {}, []),
    "borg-rsh": (
        ["borg", "create", "--rsh", f"sh -c 'echo {SECRET} >&2'", f"ssh://me:{SECRET}@h/./r::a", "src"],
        {},
        [],
    ),
    "rclone-remote": (
        [
            "rclone",
            "sync",
            "src",
            f":sftp,host=127.0.0.1,port=1,user=u,pass={SECRET}:/b",
            "--retries",
            "1",
            "--low-level-retries",
            "1",
        ],
        {},
        [],
    ),
    "rsync-address": (["rsync", "-a", "src", f"rsync://me:{SECRET}@{NOWHERE}/mod"], {}, []),
    "tar-filter": (["tar", "-cf", "x.tar", "-I", f"sh -c 'echo password={SECRET} >&2; cat'", "src"], {}, []),
    "duplicity": (
        ["duplicity", "--no-encryption", "src", f"ftp://me:{SECRET}@{NOWHERE}/x", "--num-retries", "1"],
        {},
        [],
    ),
    "script-header": (["sh", "-c", f"echo 'Authorization: token {SECRET}' >&2; echo {SECRET} >&2; exit 4"], {}, []),
    "script-mysql": (["sh", "-c", f"mysqldump -u root -p{SECRET} shop | gzip >x.gz; false"], {}, []),
    "script-steps": (
        [
            "sh",
            "-c",
            f"restic -r rest:http://u:{SECRET}@{EMPTY}/r backup src; borg create --rsh 'echo {SECRET}' h:r::a src; true",
        ],
        {},
        [],
    ),
    "variable-without-a-mark": (["sh", "-c", 'echo "I say $FOO" >&2; exit 1'], {"FOO": SECRET}, []),
    "unknown-program": (["mytool", SECRET, "--key", SECRET, f"-p{SECRET}"], {}, []),
    "private-key": (
        [
            "sh",
            "-c",
            'echo "-----BEGIN RSA PRIVATE KEY-----" >&2; cat body >&2; echo "-----END RSA PRIVATE KEY-----" >&2; exit 1',
        ],
        {},
        [],
    ),
    "over-a-seam": (
        ["sh", "-c", 'head -c 1048570 /dev/zero | tr "\\0" a >&2; echo "$PASS" >&2; exit 1'],
        {"PASS": SECRET},
        [],
    ),
    "job-name": (["false"], {"PW": SECRET}, ["--job", f"my {SECRET}"]),
    "job-alone": (["false"], {}, ["--job", SECRET]),
    "job-token": (["false"], {}, ["--job", "push ghp_16C7e42F292c6912E7710c838347Ae178B4a"]),
}
HIDDEN = (SECRET, KEY, "ghp_16C7")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds the files that the commands name."""
    work = tmp_path / "work"
    (work / "src").mkdir(parents=True)
    (work / "src" / "a").write_text("a")
    (work / "pw").write_text(f"{SECRET}\n")
    (work / "body").write_text(f"{KEY}\n")
    monkeypatch.chdir(work)
    return work


def held(places: Places) -> list[str]:
    """Return the files below the folders of the program that hold a secret, and entries of the log that do."""
    roots = {places.config, places.state, places.runtime, places.log}
    files = [path for root in roots for path in root.rglob("*") if path.is_file()]
    holders = [str(path) for path in files if any(word.encode() in path.read_bytes() for word in HIDDEN)]
    if places.audit_db.exists():
        with sqlite3.connect(f"file:{places.audit_db}?mode=ro", uri=True) as log:
            rows = [str(row) for table in ("entries", "bodies") for row in log.execute(f"SELECT * FROM {table}")]  # noqa: S608 - names of ours
        log.close()
        holders += [row for row in rows if any(word in row for word in HIDDEN)]
    return holders


def test_a_secret_reaches_no_file_and_no_answer(places: Places, empty_server: str) -> None:
    """Run folders, logs, audit log, index, spool, and the answers of commands and of root's service hold no secret."""
    for argv, environ, options in CASES.values():
        assert argv[0] == "mytool" or shutil.which(argv[0]), f"{argv[0]} is not installed"
        command = [word.replace(EMPTY, empty_server) for word in argv]
        more = {name: word.replace(EMPTY, empty_server) for name, word in environ.items()}
        tray("run", *options, "--", *command, env={**os.environ, **more})
    rows = [json.loads(line) for line in tray("history", "--json").stdout.splitlines()]
    assert len(rows) == len(CASES)
    service = Answers(places)
    answers = {"history": json.dumps(rows)}
    for command in (["status"], ["status", "--json"], ["history"], ["audit", "show"]):
        answers[" ".join(command)] = tray(*command).stdout
    for kind in ("text", "html", "csv"):
        answers[kind] = tray("report", rows[0]["run"], "--format", kind).stdout
    for row in rows:
        for kind in ("history", "report", "log"):
            answers[f"{kind} of {row['job']}"] = service.answer({"type": kind, "run": row["run"]}).decode()
    assert all(answers.values())
    assert not {where: text[:2000] for where, text in answers.items() if any(word in text for word in HIDDEN)}
    assert held(places) == []


def test_a_live_run_shows_no_secret_to_the_tracker(places: Places) -> None:
    """The wrapper publishes job, repository and current file without secrets."""
    tracker = start("tracker")
    try:
        wait_for((places.runtime / "tracker.sock").exists, what="the tracker")
        run = start("run", "--", "sh", "-c", f"echo {SECRET} >&2; read line", stdin=-1)
        try:
            wait_for(lambda: json.loads(tray("status", "--json").stdout)["runs"], what="a live run")
            assert SECRET not in tray("status", "--json").stdout
        finally:
            run.communicate(b"\n", timeout=60)
    finally:
        tracker.terminate()
        tracker.wait(timeout=60)
    assert held(places) == []
