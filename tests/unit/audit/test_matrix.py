"""Which baseline catches which attack: every manipulation that we could think of, tried on a real log.

`python -m tests.unit.audit.test_matrix` prints the table for `tray/audit/README.md`.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.audit import attacks as by
from tests.unit.audit.attacks import Scene
from tests.unit.audit.cases import UNCHECKED, Case
from tests.unit.audit.cases_whole import CASES, GROUPS
from tray.audit import last_check
from tray.audit.verify.check import verify
from tray.baselines import all_copies
from tray.core import clock
from tray.core.errors import AuditUnavailableError

COLUMNS = ("no baseline", "the copy beside the configuration", "a checkpoint kept far away")


def outcomes(case: Case, scene: Scene) -> tuple[str, str, str]:
    """Try *case* on *scene*, which is changed by it, and return what is said under each baseline."""
    case.act(scene)
    here = scene.here
    near = {"kept": all_copies.notes(here), "pinned": all_copies.pinned(here)}
    return tuple(_said(case, scene, **options) for options in ({}, near, {"baselines": {"far away": scene.far}}))  # type: ignore[return-value, arg-type]


def _said(case: Case, scene: Scene, **options: object) -> str:
    here = scene.here
    try:
        if case.how:
            verdict = verify(here.audit_db, here.audit_key, since=last_check.point(here), **options)  # type: ignore[arg-type]
        else:
            verdict = verify(here.audit_db, here.audit_key, **options)  # type: ignore[arg-type]
    except AuditUnavailableError:
        return UNCHECKED
    return verdict.result.value if verdict.kind is None else verdict.kind.value


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The log before anybody touched it."""
    return by.scene(tmp_path_factory.mktemp("scene"))


@pytest.mark.parametrize("case", CASES, ids=[f"{at}-{case.name}" for at, case in enumerate(CASES)])
def test_the_table_of_what_is_caught_is_true(case: Case, honest: Scene, tmp_path: Path) -> None:
    """Each manipulation gives exactly what the page about the audit log says, under each baseline, also what is not caught."""
    assert outcomes(case, honest.copy(tmp_path / "home")) == (case.none, case.near, case.far)


def test_the_untouched_log_is_intact(honest: Scene, tmp_path: Path) -> None:
    """The scene itself is honest: whatever a case finds was done by the case."""
    scene = honest.copy(tmp_path / "home")
    assert outcomes(Case("nothing", by.nothing, "", "", ""), scene) == ("inconclusive", "intact", "intact")
    assert len(CASES) >= 40


def test_the_page_about_the_audit_log_carries_the_table() -> None:
    """A user who decides whether to trust the log reads which attacks were tried, and which of them stay unnoticed."""
    page = (Path(__file__).parents[3] / "tray/audit/README.md").read_text()
    assert "\n".join(table()) in page
    assert f"All {len(CASES)} manipulations" in page


def table() -> Iterator[str]:
    """The table in Markdown, with its head."""
    yield f"| manipulation | {' | '.join(COLUMNS)} |"
    yield "| --- | --- | --- | --- |"
    yield from lines()


def lines() -> Iterator[str]:
    """The rows of the table."""
    for group, cases in GROUPS.items():
        yield f"| **{group}** | | | |"
        for case in cases:
            name = case.name if not case.how else f"{case.name} ({case.how} check)"
            yield f"| {name} | " + " | ".join(_cell(word) for word in (case.none, case.near, case.far)) + " |"


def _cell(word: str) -> str:
    return f"not caught ({word})" if word in ("inconclusive", "intact") else word


def main() -> None:
    """Try everything, and print what it came to."""
    began = clock.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        honest = by.scene(folder)
        wrong = 0
        for at, case in enumerate(CASES):
            found = outcomes(case, honest.copy(folder / f"case{at}" / "home"))
            if found != (case.none, case.near, case.far):
                wrong += 1
                print(f"{case.name}: expected {(case.none, case.near, case.far)}, got {found}", file=sys.stderr)
    print("\n".join(table()))
    caught = sum(case.caught for case in CASES)
    print(
        f"\n{len(CASES)} manipulations, {caught} caught by at least one, {wrong} not as expected; "
        f"{clock.monotonic() - began:.1f} s",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
