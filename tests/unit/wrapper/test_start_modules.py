"""The modules and expressions that a backup waits for."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

LATER = {"_hashlib", "locale", "sqlite3", "subprocess", "tray.audit.entry", "tray.wording", "tray.wrapper.follow"}
"""Modules that load while the command runs: OpenSSL, SQLite and others take milliseconds each."""


def printed(code: str) -> str:
    """Return the output of *code* in a Python of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("last", ["tray.wrapper.early_steps", "tray.engines.restic"])
def test_a_command_starts_before_modules_that_can_wait(last: str) -> None:
    """Neither a script nor an engine waits for them."""
    code = (
        f"import sys; early = {{*sys.modules}}; import tray.cli.run, {last}; print(*{LATER} & {{*sys.modules}} - early)"
    )
    assert printed(code) == ""


def test_an_engine_loads_without_compiling_its_expressions() -> None:
    """Most of them read failures: a backup that succeeds needs few of them, and none before it starts."""
    code = (
        "import re, tray.engines, tray.engines.line_engine, tray.engines.arguments\n"
        "re.compile = lambda text, flags=0: print(text)\n"
        "[known.load() for known in tray.engines.ENGINES]"
    )
    assert printed(code) == ""
