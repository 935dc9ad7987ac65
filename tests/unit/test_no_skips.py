"""The plugin that lets no test hide."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.process

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("def test_a():\n    assert True", 0),
        ("import pytest\ndef test_a():\n    pytest.skip('not today')", 1),
        ("import pytest\n@pytest.mark.xfail\ndef test_a():\n    assert False", 1),
        ("import pytest\n@pytest.mark.xfail\ndef test_a():\n    assert True", 1),
        ("import pytest\npytest.skip('all', allow_module_level=True)\ndef test_a():\n    pass", 5),
        ("import pytest\ndef test_a():\n    pass\ndef test_b():\n    pytest.importorskip('no_such_module')", 1),
        ("def test_a():\n    assert False", 1),
    ],
)
def test_a_test_that_did_not_run_fails_the_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, body: str, code: int
) -> None:
    """CI is only green if every test ran and passed."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(body)
    result = pytester.runpytest_subprocess("-p", "tests.no_skips")
    assert result.ret == code
    said = result.stdout.str()
    assert ("NOT RUN" in said) == ("skip" in body or "xfail" in body)
    assert said.rstrip().rsplit("\n", 1)[-1].startswith("=")
