"""The doctor's look at baselines: how many, how far behind, and which places were out."""

from pathlib import Path

import pytest

from tests.unit.audit.help import end, filled
from tray.audit import spool
from tray.audit.checkpoint import Checkpoint, Signer, parse
from tray.baselines import far_copies
from tray.config import AuditConfig, Config
from tray.core.paths import Places
from tray.doctor import Check, Level, records


def looked(places: Places) -> list[Check]:
    """Return the doctor's answers about baselines."""
    return list(records.baselines(places))


@pytest.fixture
def log(places: Places) -> Places:
    """A log that was kept by the ordinary way of recording."""
    spool.record(filled(places, 2), [end()])
    return places


def near(places: Places) -> Path:
    """The copy beside the configuration."""
    (found,) = places.baselines.glob("*.checkpoint")
    return found


def test_the_copy_beside_the_configuration_is_enough_to_be_fine(log: Places) -> None:
    """No configuration is needed."""
    assert looked(log) == [
        Check("baselines", Level.OK, "Checkpoints of the audit log are kept in 1 place apart from it, up to date.")
    ]


def test_without_a_log_there_is_nothing_to_keep(places: Places) -> None:
    """A fresh installation is healthy."""
    assert [check.level for check in looked(places)] == [Level.NOTE]
    assert not places.config.exists()


def test_a_copy_that_is_gone_is_told_with_what_brings_it_back(log: Places) -> None:
    """A replaced log would go unnoticed."""
    near(log).unlink()
    (check,) = looked(log)
    assert check.level is Level.WARN
    assert "would look genuine" in check.what
    assert check.remedy


def test_a_copy_that_saw_more_than_the_log_has_is_bad(log: Places) -> None:
    """The log was rolled back."""
    seen = parse(near(log).read_bytes())
    near(log).write_bytes(Signer(bytes(32)).sign(Checkpoint(seen.origin, seen.size + 9, seen.root)))
    (check,) = looked(log)
    assert (check.level, check.remedy) == (Level.BAD, "backup-tray audit verify")


def test_a_copy_that_cannot_be_read_is_named(log: Places) -> None:
    """A damaged copy counts for nothing."""
    near(log).write_bytes(b"noise")
    first, second = looked(log)
    assert "is no checkpoint" in first.what
    assert second.level is Level.WARN


def test_a_place_that_was_out_is_named_until_it_is_back(log: Places, tmp_path: Path) -> None:
    """A user who unplugged the stick is reminded."""
    stick = tmp_path / "stick"
    config = Config(audit=AuditConfig(baselines=(str(stick),)))
    far_copies.copy_far(log, config)
    warnings = [check for check in looked(log) if check.level is Level.WARN]
    assert [str(stick) in check.what for check in warnings] == [True]
    stick.mkdir()
    far_copies.copy_far(log, config)
    assert [check.level for check in looked(log)] == [Level.OK]
