"""`backup-tray audit`: results by exit code, words for people, bytes for machines."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.unit.audit.help import end, entry_bytes, filled, tamper, writer
from tray.audit import spool
from tray.audit.checkpoint import VerifierKey
from tray.audit.store import AuditLog
from tray.cli.main import main
from tray.core.paths import Places

Output = pytest.CaptureFixture[str]


def last_action(places: Places) -> tuple[str, str, str]:
    """Action, result and severity of the newest entry."""
    with AuditLog.read(places.audit_db) as log:
        (entry,) = log.entries(-1)
    return entry.data["action"], entry.data["result"], entry.data["severity"]


def test_verify_without_a_baseline_is_inconclusive(places: Places, capsys: Output) -> None:
    """Exit code 3, why, how it was checked, and the command that gives a baseline; the check goes on record."""
    filled(places)
    assert main(["audit", "verify"]) == 3
    out = capsys.readouterr().out
    for word in ("INCONCLUSIVE", "22 entries", "RFC 6962", "Ed25519", "audit checkpoint > FILE"):
        assert word in out
    assert last_action(places) == ("audit.verified", "inconclusive", "warning")


def test_a_printed_checkpoint_serves_as_baseline(places: Places, capsys: Output, tmp_path: Path) -> None:
    """`audit checkpoint > FILE`, later `audit verify --checkpoint FILE`: intact, exit code 0; a folder of them works too."""
    filled(places)
    for name in ("monday", "tuesday"):
        assert main(["audit", "checkpoint"]) == 0
        (tmp_path / name).write_text(capsys.readouterr().out)
        with writer(places) as log:
            log.append([end(name)])
    assert main(["audit", "verify", "--checkpoint", str(tmp_path / "monday")]) == 0
    assert "INTACT" in capsys.readouterr().out
    folder = tmp_path / "baselines"
    folder.mkdir()
    for name in ("monday", "tuesday"):
        (tmp_path / name).rename(folder / name)
    assert main(["audit", "verify", "--json", "--checkpoint", str(folder)]) == 0
    found = json.loads(capsys.readouterr().out)
    # two in the folder, and the copy that the program keeps beside the configuration
    assert (found["result"], len(found["baselines"]), found["kind"]) == ("intact", 3, None)
    assert last_action(places) == ("audit.verified", "intact", "info")
    key = VerifierKey.parse(places.audit_key.with_suffix(".pub").read_text())
    assert key.verifies((folder / "tuesday").read_bytes())


def test_verify_of_a_tampered_log_names_entry_and_kind(places: Places, capsys: Output) -> None:
    """Exit code 1, the first bad entry and what is wrong; the alarm itself goes on record."""
    filled(places)
    raw = entry_bytes(places, 7)
    tamper(places, ("UPDATE entries SET entry = ? WHERE seq = 7", (raw.replace(b"succeeded", b"cancelled"),)))
    assert main(["audit", "verify"]) == 1
    out = capsys.readouterr().out
    assert "TAMPERED: Entry 7 was altered" in out
    assert "altered, from entry 7 on" in out
    assert last_action(places) == ("audit.verified", "tampered", "critical")


def test_verify_that_cannot_check_says_why(places: Places, capsys: Output, tmp_path: Path) -> None:
    """Exit code 2 for an unreadable log, a missing log and a baseline that is none; that is recorded where a log exists."""
    assert main(["audit", "verify"]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert not places.audit_db.exists()
    filled(places, 1)
    for bad in ("missing", "empty folder", "no note"):
        path = tmp_path / bad
        if bad == "empty folder":
            path.mkdir()
        elif bad == "no note":
            path.write_bytes(b"\xff" * 100)
        assert main(["audit", "verify", "--checkpoint", str(path)]) == 2
        err = capsys.readouterr().err
        assert "cannot serve as a baseline" in err
        assert "next:" in err
    places.audit_db.write_bytes(b"noise" * 999)
    assert main(["audit", "verify"]) == 2
    assert "is damaged" in capsys.readouterr().err
    assert [draft.result for draft in spool.pending(places)] == ["could not check"]


def test_verify_shows_its_progress_on_a_terminal_only(
    places: Places, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long log takes seconds: a person sees how far it is, a log file of cron does not."""
    with writer(places) as log:
        log.append([end(f"r{number}") for number in range(4100)])
    main(["audit", "verify"])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    main(["audit", "verify"])
    assert "4,096 of 4,103 entries" in capsys.readouterr().err


def test_show_lists_the_newest_entries(places: Places, capsys: Output) -> None:
    """One line for each, the newest first: number, local time and UTC, severity, action, result, job."""
    filled(places)
    assert main(["audit", "show", "--limit", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["21", "20", "19"]
    assert "run.finished" in lines[0]
    assert "succeeded" in lines[0]
    assert " UTC" in lines[0]


def test_show_one_entry_with_its_details_escaped(places: Places, capsys: Output) -> None:
    """Names with newlines and ANSI codes cannot forge a line or colour the terminal."""
    with writer(places) as log:
        seq, other = log.append([end("r\nx", job="a\x1b[31mb", body={"item\n": "caf\udce9\x07", "n": [1]}), end("s")])
        log.redact(other, "asked")
    assert main(["audit", "show", str(seq)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    for text in (r"r\nx", r"a\x1b[31mb", r"item\n", r"caf\xe9\x07", "leaf"):
        assert text in out
    assert main(["audit", "show", str(other)]) == 0
    assert "details          erased" in capsys.readouterr().out


def test_show_json_prints_the_bytes_that_were_hashed(
    places: Places, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Anybody can recompute leaf hashes from this output."""
    filled(places, 3)
    assert main(["audit", "show", "--json", "--limit", "100"]) == 0
    lines = capsysbinary.readouterr().out.split(b"\n")[:-1]
    assert sorted(lines) == sorted(entry_bytes(places, seq) for seq in range(8))


def test_show_of_an_entry_that_is_not_there(places: Places, capsys: Output) -> None:
    """The message says the event, its reason and the next step."""
    filled(places, 1)
    assert main(["audit", "show", "99"]) == 2
    assert "no entry 99" in capsys.readouterr().err
    assert main(["audit"]) == 64
    assert main(["audit", "show", "x"]) == 2
    assert "No run is known as 'x'" in capsys.readouterr().err


def test_looking_adds_no_entry(places: Places, capsys: Output) -> None:
    """Only `verify` goes on record; show and checkpoint leave the log as it is."""
    filled(places, 1)
    before = (len(entry_bytes(places, 3)), places.audit_db.read_bytes())
    main(["audit", "show"])
    main(["audit", "checkpoint"])
    assert capsys.readouterr().out
    assert (len(entry_bytes(places, 3)), places.audit_db.read_bytes()) == before


def test_verify_of_an_altered_database_says_no_more_than_it_knows(places: Places, capsys: Output) -> None:
    """A trigger that is gone is named; the log, whose name was never read, is not called another one's successor."""
    filled(places)
    with sqlite3.connect(places.audit_db) as connection:
        connection.execute("DROP TRIGGER no_update")
    connection.close()
    assert main(["audit", "verify"]) == 1
    said = capsys.readouterr().out
    assert "The definition of no_update in the database is missing" in said
    assert "is gone" not in said
    assert said.count("audit acknowledge --reason") == 1
    assert "root:" not in said
