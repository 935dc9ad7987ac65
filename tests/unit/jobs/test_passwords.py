"""The password of a job: from its file or its command, and never in an error."""

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from tray.config.jobs import Job
from tray.core.errors import ConfigError
from tray.jobs import passwords


def printed(code: str) -> tuple[str, ...]:
    """Return a command line of Python's."""
    return (sys.executable, "-c", code)


def test_a_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    """Blanks belong to the password."""
    file = tmp_path / "pw"
    file.write_text(" two words \r\n")
    assert passwords.read(Job("x", password_file=str(file))) == " two words "
    assert passwords.read(Job("x")) is None


@pytest.mark.process
def test_a_command_prints_it() -> None:
    """As restic and borg do it themselves."""
    assert passwords.read(Job("x", password_command=printed("print('hunter2')"))) == "hunter2"


@pytest.mark.process
@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"password_file": "/no/such"}, "`password_file` cannot be read: No such file"),
        ({"password_file": "/dev/null"}, "`password_file` cannot be read"),
        ({"password_command": ("/no/such",)}, "`password_command` cannot be read: No such file"),
        ({"password_command": printed("print('hunter2'); raise SystemExit(3)")}, "ended with exit code 3"),
        ({"password_command": printed("print()")}, "is empty"),
        ({"password_command": printed("print('hunter2' + chr(0))")}, "holds a NUL"),
        ({"password_command": printed(r"import os; os.write(1, b'hunter2\xff')")}, "it is no text"),
    ],
)
def test_an_error_names_the_key_and_a_command_that_shows_more(fields: dict[str, Any], why: str) -> None:
    """No word of the password stands in it."""
    with pytest.raises(ConfigError) as caught:
        passwords.read(Job("x", **fields))
    assert why in caught.value.why
    assert "hunter2" not in caught.value.why
    shown = shlex.join(fields.get("password_command", ())) or f"ls -l {fields.get('password_file')}"
    assert shown in caught.value.next
