"""The traits of each engine besides its output; an engine without an answer gets the safe ones."""

import importlib.util
import re
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

import tray
from tray.core.errors import RepositoryAskError
from tray.engines import COMMAND, ENGINES, Engine, Known, Notice, named, plugins
from tray.engines.base import Traits
from tray.observe import examine, execs
from tray.repository import ask, files, locks, new_snapshots
from tray.wrapper import unmet_steps

EXAMPLE = Path(__file__).parents[2] / "data" / "example_engine" / "backup_tray_pg_dump.py"
SAFE = MappingProxyType({trait: getattr(Traits, trait) for trait in Traits.__annotations__})
SAID: dict[str, dict[str, Any]] = {
    "restic": {
        "repository": "restic",
        "sized": True,
        "spares_strangers": True,
        "counts_files": True,
        "proves": True,
        "spares_locks": True,
        "stale_ms": 1_800_000,
        "asks": ("restic", "--no-lock", "--json", "snapshots"),
        "asks_lock": ("restic", "--no-lock", "cat", "lock"),
        "address_begins": ("rest:", "s3:", "sftp:", "b2:", "azure:", "gs:", "swift:", "rclone:"),
        "address_variables": ("RESTIC_REPOSITORY", "RESTIC_REPOSITORY_FILE"),
        "address_option": "-r",
        "password_variables": ("RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND"),
        "file_option": "--password-file",
        "entry_example": "RESTIC_PASSWORD_FILE=FILE",
        "version_word": True,
    },
    "borg": {
        "repository": "borg",
        "sized": True,
        "spares_strangers": True,
        "counts_files": True,
        "asks": ("borg", "list", "--bypass-lock", "--json"),
        "address_begins": ("ssh://",),
        "address_variables": ("BORG_REPO",),
        "password_variables": ("BORG_PASSPHRASE", "BORG_PASSCOMMAND", "BORG_PASSPHRASE_FD"),
        "entry_example": "BORG_PASSCOMMAND='cat FILE'",
        "may_be_open": True,
    },
    "rclone": {"repository": "copy", "copied_only": True, "version_word": True},
    "rsync": {"repository": "copy", "copied_only": True, "counts_files": True, "common": True},
    "duplicity": {"repository": "duplicity", "sized": True},
    "kopia": {"counts_files": True},
    "rdiff-backup": {"repository": "rdiff-backup"},
    "dar": {"passes_over_missing": True},
    "tar": {"repository": "file", "sized": True, "common": True},
    "command": {},
}
"""Each engine's answers that differ from the safe ones."""
ROOT = Path(tray.__file__).parent
STAY = MappingProxyType(
    {
        "repository/files.py": "the readers of repositories, by the word that an engine names",
        "repository/new_snapshots.py": "the same",
        "repository/locks.py": "the same",
        "repository/ask.py": "the readers of answers, by that word",
        "config/jobs.py": "the engine whose command is built from sources",
        "jobs/first_backup.py": "the first backup, which is restic's",
        "jobs/configured.py": "the same",
        "jobs/targets.py": "the same",
        "audit/rows.py": "words that are common in bodies; as fixed as the format",
        "core/redact/patterns.py": "schemes of addresses",
        **{
            f"takeover/tools/{tool}.py": "the one engine that this tool starts"
            for tool in ("autorestic", "back_in_time", "borgmatic", "duply", "resticprofile", "rsnapshot", "vorta")
        },
    }
)
"""Where the name of an engine stands outside its own folder, and what for."""
BEFORE: dict[str, dict[str, Any]] = {
    "restic": {
        "notice": Notice.AT_ONCE,
        "quick": (2,),
        "prefix": "local:",
        "variables": ("RESTIC_REPOSITORY", "RESTIC_REPOSITORY_FILE", "RESTIC_HOST"),
    },
    "borg": {"notice": Notice.AT_ONCE, "prefix": "file://", "variables": ("BORG_REPO", "BORG_RSH")},
    "rclone": {"notice": Notice.IF_IT_LASTS, "quick": (2,), "variables": ("RCLONE_DRY_RUN", "RCLONE_CONFIG")},
    "rsync": {
        "notice": Notice.IF_IT_LASTS,
        "quick": (3, 5, 10, 11, 12, 23),
        "talks": True,
        "moves": True,
        "variables": ("RSYNC_RSH",),
    },
    "duplicity": {"notice": Notice.AT_ONCE, "prefix": "file://", "addressed": True},
    "kopia": {"notice": Notice.AT_ONCE, "quick": (2,), "variables": ("KOPIA_CONFIG_PATH",)},
    "rdiff-backup": {"notice": Notice.AT_ONCE},
    "dar": {"notice": Notice.AT_ONCE},
    "tar": {"notice": Notice.NEVER, "quick": (2,), "talks": True, "moves": True},
}
"""The traits of each engine that are known before it is imported."""


def traits(engine: Engine) -> dict[str, Any]:
    """Return every trait of an engine."""
    return {trait: getattr(engine, trait) for trait in SAFE}


def test_every_built_in_engine_stands_in_the_table() -> None:
    """A new engine needs a line here."""
    assert set(SAID) == {*(known.name for known in ENGINES), COMMAND.name}


@pytest.mark.parametrize("name", SAID)
def test_every_engine_answers_for_every_trait(name: str) -> None:
    """With a value of the right type."""
    found = traits(named(name))
    assert found == {**SAFE, **SAID[name]}
    assert {trait: type(value) for trait, value in found.items()} == {one: type(value) for one, value in SAFE.items()}


@pytest.mark.parametrize("known", ENGINES, ids=lambda known: known.name)
def test_every_engine_answers_before_it_is_imported(known: Known) -> None:
    """Where an engine gives no answer, the safe one holds: not noticed, and nothing concluded from how it ends."""
    assert known == Known(known.name, known.begins, **BEFORE[known.name])
    new = Known("new", ("new",))
    assert new == Known(
        "new", ("new",), Notice.NEVER, quick=(), talks=False, moves=False, prefix="", addressed=False, variables=()
    )


def test_the_lists_of_others_come_from_the_engines() -> None:
    """In the order in which a failure that may be of several engines is told."""
    assert [known.name for known in unmet_steps._QUICK] == ["tar", "rsync", "restic", "rclone", "kopia"]
    assert list(examine.NOT_ALONE) == ["tar"]
    assert sorted(execs.GENERAL) == ["rclone", "rsync", "tar"]
    assert examine._MOVES == ("rsync", "tar", "gtar", "gnutar", "bsdtar")


def test_only_engines_know_the_names_of_engines() -> None:
    """A list of names elsewhere would leave out the engine that comes next: it becomes a trait."""
    name = re.compile(rf"""["']({"|".join(re.escape(known.name) for known in ENGINES)})["']""")
    files_of_ours = (path.relative_to(ROOT) for path in ROOT.rglob("*.py"))
    outside = (path for path in files_of_ours if path.parts[0] != "engines")
    assert {path.as_posix() for path in outside if name.search((ROOT / path).read_text())} == set(STAY)


def test_the_safe_answer_of_each_trait_claims_nothing() -> None:
    """No, none, or no word."""
    assert not any(value for value in SAFE.values())


def test_an_engine_that_is_not_known_any_more_claims_nothing() -> None:
    """A stored run may name an engine whose package is gone."""
    assert traits(named("once-added")) == dict(SAFE)


def example(mistakes: list[str], **said: object) -> plugins.Guarded:
    """Return the worked example of an added engine, with these traits; what is wrong with it goes to *mistakes*."""
    spec = importlib.util.spec_from_file_location("backup_tray_pg_dump", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for trait, value in said.items():
        setattr(module.ENGINE, trait, value)
    return plugins.Guarded(module.ENGINE, lambda *words: mistakes.append(" ".join(words)))


def test_an_added_engine_without_traits_claims_nothing() -> None:
    """The worked example names none, and that is no mistake."""
    mistakes: list[str] = []
    assert traits(example(mistakes)) == dict(SAFE)
    assert not mistakes


def test_an_added_engine_may_say_its_traits() -> None:
    """They count as those of an engine that is built in."""
    assert example([], proves=True, counts_files=True).proves is True


@pytest.mark.parametrize("trait", SAFE)
@pytest.mark.parametrize("value", [2.5, ["restic"], (1,), object()], ids=["number", "list", "tuple", "object"])
def test_a_trait_of_the_wrong_kind_is_not_believed_and_told(trait: str, value: object) -> None:
    """The safe answer stands in its place."""
    mistakes: list[str] = []
    assert getattr(example(mistakes, **{trait: value}), trait) == SAFE[trait]
    assert any(trait in mistake for mistake in mistakes)


@pytest.mark.process
@pytest.mark.parametrize(
    ("engine", "address", "password_file", "by_hand"),
    [
        ("restic", "/mnt/b", None, "restic -r /mnt/b snapshots"),
        ("restic", "/mnt/b c", "/p", "restic -r '/mnt/b c' --password-file /p snapshots"),
        ("restic", "rest:http://u:geheim@nas/b", "/p", "restic --password-file /p snapshots"),
        ("borg", "/mnt/b", "/p", "borg list /mnt/b"),
        ("borg", "ssh://u:geheim@nas/b", None, "borg list"),
        ("kopia", "/mnt/b", None, None),
    ],
)
def test_a_person_is_told_how_to_ask(engine: str, address: str, password_file: str | None, by_hand: str | None) -> None:
    """With what the engine says of its commands; an address with a password goes into a variable, without it."""
    with pytest.raises(RepositoryAskError) as caught:
        ask.snapshots(ask.Access(engine, address, password_file), {"PATH": "/nonexistent"})
    assert "geheim" not in caught.value.next
    assert ask.can_ask(engine) == (by_hand is not None)
    if by_hand is None:
        assert caught.value.next == "Look into the repository with kopia's own commands."
    elif "geheim" in address:
        assert re.search(rf"`[A-Z_]+=\S+ {re.escape(by_hand)}`", caught.value.next)
    else:
        assert f"`{by_hand}`" in caught.value.next


@pytest.mark.parametrize("known", ENGINES, ids=lambda known: known.name)
def test_every_way_of_reading_a_repository_is_known(known: Known) -> None:
    """Only kopia's repositories and dar's archives are not read."""
    assert files.can_read(known.name) == (known.name not in ("kopia", "dar"))


def test_the_repository_of_an_engine_that_says_nothing_is_left_alone(tmp_path: Path) -> None:
    """Its files prove nothing, and it has no lock that we know."""
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / ("a" * 64)).touch()
    assert not files.can_read("once-added")
    assert new_snapshots.snapshots("once-added", str(tmp_path), 0, 1 << 62) == []
    assert locks.held("once-added", tmp_path) == []
