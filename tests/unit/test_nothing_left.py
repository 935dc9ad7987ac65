"""The tests have a home of their own, and what they leave elsewhere fails the run."""

import os
import tempfile
from pathlib import Path

import pytest

from tests import own_home
from tray.core import paths

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]


def test_home_and_temporary_files_are_the_tests_own(tmp_path: Path) -> None:
    """An engine's cache, a shell's history or a lost folder of a test is not in the user's home."""
    base = Path(os.environ[own_home.BASE])
    assert Path.home() == base / "h"
    assert Path(tempfile.gettempdir()) == base / "t"
    assert tmp_path.is_relative_to(base)
    assert not [name for name in os.environ if name in own_home._USERS]


@pytest.mark.process
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("pass", 0),
        ("open(os.environ['REAL'] + '/.history', 'w').close()", 1),
        ("os.makedirs(os.environ['REAL'] + '/.cache/restic')", 1),
        ("open('/tmp/restic-' + os.environ['MARK'], 'w').close()", 1),
    ],
    ids=["clean", "home", "cache", "tmp"],
)
def test_what_is_left_fails_the_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, code: int
) -> None:
    """Named, so that it can be found."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    (home / ".cache").mkdir(parents=True)
    temporary.mkdir()
    for name, value in {"PYTHONPATH": ROOT, "HOME": home, "REAL": home, "TMPDIR": temporary, "MARK": "left"}.items():
        monkeypatch.setenv(name, str(value))
    pytester.makepyfile(f"import os\ndef test_a():\n    {body.replace('/tmp/', str(temporary) + '/')}")
    pytester.makeconftest("import tests.nothing_left\ntests.nothing_left._PATIENCE = 0.0")
    result = pytester.runpytest_subprocess("-p", "tests.nothing_left", f"--basetemp={tmp_path}/base")
    assert result.ret == code
    assert ("LEFT BEHIND" in result.stdout.str()) == bool(code)


@pytest.mark.process
@pytest.mark.parametrize("ours", [True, False])
def test_a_last_resort_counts_if_its_state_folder_is_of_these_tests(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: bool
) -> None:
    """Records below /var/tmp fail the run that left them, and no other that goes on beside it."""
    places = paths.places({paths.HOME_VARIABLE: str(tmp_path / ("ours" if ours else "others"))})
    places.state.mkdir(parents=True)
    left = places._last_resort
    (tmp_path / "home").mkdir()
    for name, value in {"PYTHONPATH": ROOT, "HOME": tmp_path / "home", own_home.BASE: tmp_path / "ours"}.items():
        monkeypatch.setenv(name, str(value))
    pytester.makepyfile(f"import os\ndef test_a():\n    os.mkdir({str(left)!r})")
    pytester.makeconftest("import tests.nothing_left\ntests.nothing_left._PATIENCE = 0.0")
    try:
        result = pytester.runpytest_subprocess("-p", "tests.nothing_left", f"--basetemp={tmp_path}/base")
    finally:
        left.rmdir()
    assert (result.ret, f"LEFT BEHIND, which fails this run: {left}" in result.stdout.str()) == (int(ours), ours)


@pytest.mark.process
def test_folders_that_tests_closed_are_taken_away_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stays, whatever a test did to its permissions."""
    for name in (own_home.SHARED, "TMPDIR", "HOME", own_home.BASE):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv(own_home.SHARED)
    monkeypatch.setattr(tempfile, "tempdir", None)
    base = own_home.begin()
    assert base is not None
    closed = base / "t/closed/within"
    closed.mkdir(parents=True)
    closed.parent.chmod(0)
    own_home.end(base)
    assert not base.exists()
