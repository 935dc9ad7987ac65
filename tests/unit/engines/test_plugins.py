"""Engines that users add: found cheaply, checked, and never in a backup's way."""

# ruff: noqa: ARG002, ARG005, D102 - the parts of an engine are described in tray/engines/base.py

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tray import engines
from tray.core.errors import UnknownEngineError
from tray.core.model import Outcome
from tray.core.redact import Harmless, Redactor
from tray.engines import COMMAND
from tray.engines.arguments import Grammar
from tray.engines.base import STOP, Exit, Fed, Plan, Result, Stream
from tray.repository import ask, files, new_snapshots


class Session:
    """Understands nothing, and is content."""

    def feed(self, line: bytes, stream: Stream) -> Fed:
        return Fed(relay=line)

    def conclude(self, exit: Exit) -> Result:
        return Result(Outcome.SUCCEEDED, "It is fine.")


class Engine:
    """An engine as a user would write it."""

    api, name, stop = 1, "zfs", ((15, 5.0),)

    def recognises(self, program: str) -> bool:
        return program == "zfs"

    def plan(self, argv: Any, at: int, environ: Any) -> Plan:
        return Plan(tuple(argv), "backup", {}, sources=("tank",))

    def session(self, plan: Plan) -> Any:
        return Session()

    def unlock(self, plan: Plan) -> str | None:
        return "zfs release"


class Site:
    """A folder where Python looks, with packages that announce engines."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch

    def announce(self, text: str, package: str = "example-1.0.dist-info") -> None:
        """Install a package with these entry points."""
        (self.folder / package).mkdir()
        (self.folder / package / "entry_points.txt").write_text(text)
        engines.added.cache_clear()

    def provide(self, engine: object, name: str = "zfs") -> None:
        """Install an engine."""
        module = ModuleType("example_engine")
        vars(module)["ENGINE"] = engine
        self._monkeypatch.setitem(sys.modules, "example_engine", module)
        self.announce(f"[backup_tray.engines]\n{name} = example_engine:ENGINE\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The only folder where packages are looked for."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), "", "/does/not/exist", *sys.path])
    engines.added.cache_clear()
    yield Site(tmp_path, monkeypatch)
    engines.added.cache_clear()


def changed(**parts: Any) -> Any:
    """An engine of which some parts are others."""
    return type("Changed", (Engine,), parts)()


def test_an_engine_that_was_added_is_recognised(site: Site) -> None:
    """By its program behind wrappers, by its name, and again from the record of a run."""
    site.provide(Engine())
    engine, at = engines.recognise(["nice", "/sbin/zfs", "send", "tank"], {})
    assert (engine.name, at, engine.stop) == ("zfs", 1, ((15, 5.0),))
    assert engine.plan(["zfs"], 0, {}).sources == ("tank",)
    assert engine.unlock(engine.plan(["zfs"], 0, {})) == "zfs release"
    assert engines.recognise(["/opt/other"], {}, "zfs")[0].name == "zfs"
    assert engines.named("zfs").name == "zfs"
    assert engines.recognise(["zpool"], {})[0] is COMMAND
    assert engines.problems() == ()


def test_an_engine_with_the_repository_of_another_one_is_read_like_it(site: Site, tmp_path: Path) -> None:
    """It says so in one word; without that word nothing is known of the same folder."""
    (tmp_path / "b" / "index").mkdir(parents=True)
    (tmp_path / "b" / "snapshots").mkdir()
    (tmp_path / "b" / "config").touch()
    (tmp_path / "b" / "snapshots" / ("a" * 64)).touch()
    site.provide(changed(repository="restic"))
    assert files.look("zfs", tmp_path / "b").last_snapshot == "a" * 64
    assert new_snapshots.snapshots("zfs", str(tmp_path / "b"), 0, 1 << 62) == [], (
        "it does not say that they prove anything"
    )
    engines.added.cache_clear()
    sys.modules["example_engine"].__dict__["ENGINE"] = changed()
    assert not files.can_read("zfs")


@pytest.mark.parametrize("word", ["zpool", "Restic", "", 3])
def test_a_repository_that_no_reader_knows_is_not_read(site: Site, word: object) -> None:
    """Also a word that is none."""
    site.provide(changed(repository=word, asks=("zfs", "list"), address_variables=("ZFS",)))
    assert not files.can_read("zfs")
    assert not ask.can_ask("zfs")


def test_a_built_in_engine_is_never_replaced(site: Site) -> None:
    """No package changes how restic's word is read."""
    site.provide(changed(name="restic", recognises=lambda self, program: True), name="re")
    assert type(engines.recognise(["restic", "backup"], {})[0]).__name__ == "Restic"
    assert type(engines.named("restic")).__name__ == "Restic"


def test_nothing_is_looked_for_where_a_built_in_engine_matches(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start costs nothing."""
    monkeypatch.setattr(engines, "_announces", lambda folder: pytest.fail("looked"))
    assert engines.recognise(["restic", "backup", "/x"], {})[0].name == "restic"


def test_a_package_is_imported_only_for_its_own_programs(site: Site) -> None:
    """Other commands do not wait for it."""
    site.announce(
        "[console_scripts]\nx = y:z\n[backup_tray.engines]\n# a comment\nzfs=not_there_engine : ENGINE [extra]\n"
    )
    assert engines.recognise(["pg_dump"], {})[0] is COMMAND
    assert engines.problems() == ()
    assert engines.recognise(["zfs"], {})[0] is COMMAND
    (said,) = engines.problems()
    assert "could not be loaded (ModuleNotFoundError: No module named 'not_there_engine" in said


def test_one_broken_package_hides_no_other_engine(site: Site) -> None:
    """Its entry points cannot be read; those of the others can."""
    site.announce("[backup_tray.engines]\nno assignment\n", "broken-1.0.dist-info")
    site.provide(Engine())
    assert engines.recognise(["zfs"], {})[0].name == "zfs"
    assert "has entry points that cannot be read" in " ".join(engines.problems())


def test_an_unknown_name_is_answered_with_all_names(site: Site) -> None:
    """Also the added ones."""
    site.provide(Engine())
    with pytest.raises(UnknownEngineError) as error:
        engines.recognise(["x"], {}, "nope")
    assert "zfs" in str(error.value) + str(vars(error.value))


def fail(*_: object) -> Any:
    """A part that does not work."""
    raise RuntimeError("oh")


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        (changed(api=2), "version 2 of the engine contract"),
        (changed(plan=None), "it lacks plan"),
        (changed(name=""), "it lacks a name"),
        (object(), "could not be loaded (AttributeError"),
        (changed(recognises=fail), "failed to look at a program (RuntimeError: oh)"),
        (changed(plan=fail), "could not plan the command (RuntimeError: oh)"),
        (changed(plan=lambda *_: None), "could not plan the command (TypeError"),
        (changed(plan=lambda *_: Plan((), "backup", {})), "could not plan the command"),
        (changed(plan=lambda *_: Plan(("x",), 3, {})), "could not plan the command"),  # type: ignore[arg-type]
    ],
)
def test_an_engine_that_does_not_work_leaves_the_command_alone(site: Site, engine: object, words: str) -> None:
    """It is then any other command, and what is wrong is kept for doctor and log."""
    site.provide(engine)
    assert engines.recognise(["zfs", "send"], {}) == (COMMAND, 0)
    assert words in " ".join(engines.problems())


@pytest.mark.parametrize(
    ("engine", "exit", "outcome"),
    [
        (changed(session=fail), Exit(0), Outcome.SUCCEEDED),  # as any other command
        (changed(session=fail), Exit(1), Outcome.FAILED),
        (changed(session=lambda *_: None), Exit(0), Outcome.UNKNOWN),
        (Engine(), Exit(0), Outcome.SUCCEEDED),
        (Engine(), Exit(1), Outcome.FAILED),
        (Engine(), Exit(None, 9), Outcome.FAILED),
        (Engine(), Exit(None, 2, asked=True), Outcome.CANCELLED),
    ],
)
def test_a_session_never_makes_a_bad_end_good(site: Site, engine: object, exit: Exit, outcome: Outcome) -> None:
    """Whatever it says, a nonzero exit is no success; and what it cannot judge is not known."""
    site.provide(engine)
    found, at = engines.recognise(["zfs", "send"], {})
    session = found.session(found.plan(["zfs", "send"], at, {}))
    assert session.feed(b"x\n", Stream.ERR) == Fed(relay=b"x\n")
    assert session.conclude(exit).outcome is outcome


def test_a_stop_that_makes_no_sense_is_the_common_one(site: Site) -> None:
    """Cancel works for every engine."""
    site.provide(changed(stop="SIGINT"))
    assert engines.recognise(["zfs"], {})[0].stop == STOP


def test_what_is_no_metadata_is_skipped(site: Site) -> None:
    """Garbage in a package's folder is not taken for an engine."""
    site.announce("backup_tray.engines\0\xff[backup_tray.engines\n=\n[backup_tray.engines]\n= x\ny =\n", "a-1.egg-info")
    assert engines.recognise(["y"], {}) == (COMMAND, 0)
    assert engines.recognise(["zfs"], {}) == (COMMAND, 0)
    assert engines.problems() == ()


@pytest.mark.parametrize(
    ("harmless", "shown"),
    [
        (None, "***"),
        ("everything", "***"),
        (Harmless(Grammar(frozenset(("bookmark", "key"))), frozenset(("bookmark",))), "kQ7rT2vX9z"),
    ],
)
def test_an_engine_says_what_of_its_command_line_is_harmless(site: Site, harmless: object, shown: str) -> None:
    """Its options are then shown; without a proper word of the engine only ordinary words are."""
    argv = ["zfs", "send", "--bookmark", "kQ7rT2vX9z", "--key", "kQ7rT2vX8y"]
    site.provide(changed(harmless=harmless))
    assert Redactor(argv, {}).argv(argv) == ["zfs", "send", "--bookmark", shown, "--key", "***"]
