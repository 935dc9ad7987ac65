"""Changes of the configuration's text: exactly the keys that are asked for, and not one sign besides."""

import tomllib
from typing import Any

import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from tray.config import saving

NAMES = st.sampled_from(["home", "data base", "a.b", 'x"y', "é", "jobs"])
KEYS = st.sampled_from(["every", "on", "command", "check", "unknown", "matches"])
VALUES = st.one_of(
    st.integers(-5, 5),
    st.booleans(),
    st.sampled_from(["1d", "[jobs.home]", "a # b", 'quote " and \\', "'''", "two\nlines", '"""', "="]),
    st.lists(st.sampled_from(["a", "[jobs.home]", "]"]), max_size=3),
    st.dictionaries(st.sampled_from(["every", "x y"]), st.sampled_from(["30d", 1]), max_size=2),
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)
JOBS = st.dictionaries(NAMES, TABLES, max_size=4)
COMMENT = "# [jobs.home] every = 1"


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A configuration whose jobs stand in headers, in dotted keys or in inline tables, with comments in between."""
    parts, dotted = ["# mine", "version = 1", f"text = {toml('''[jobs.home]''')}"], []
    headers = []
    for name, table in draw(JOBS).items():
        form = draw(st.sampled_from(["header", "dotted", "inline"]))
        quoted = toml(name)
        if form == "header":
            lines = [f"{key} = {toml(value)}  {COMMENT}" for key, value in table.items()]
            headers.append(
                "\n".join([COMMENT, f"[ jobs . {quoted} ]  # here", *lines, draw(st.sampled_from(["", COMMENT]))])
            )
        elif form == "dotted" and table:
            dotted += [f"{quoted}.{key} = {toml(value)}" for key, value in table.items()]
        else:
            dotted.append(f"{quoted} = {toml(table)}")
    if dotted:
        parts += ["[jobs]", *dotted]
    middle = ["[watch]", 'stalled_after = "5m"']
    end = draw(st.sampled_from(["", "\n", "\n\n" + COMMENT]))
    return "\n".join([*parts, *headers[:1], *middle, *headers[1:]]) + end


def filled(content: dict[str, Any]) -> dict[str, Any]:
    """*content* without tables that are empty: dotted keys have no way to write one."""
    jobs = {name: table for name, table in content.get("jobs", {}).items() if table}
    return content | {"jobs": jobs}


def toml(value: Any) -> str:
    """*value* as TOML writes it on one line, except for lists and long texts."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + " }"
    return tomlkit.item(value).as_string()


@given(texts(), NAMES, st.dictionaries(KEYS, st.one_of(st.none(), VALUES), min_size=1, max_size=3))
def test_keys_are_set_and_all_else_stays(text: str, name: str, values: dict[str, Any]) -> None:
    """Whatever form the job's table has."""
    expected = tomllib.loads(text)
    table = expected.setdefault("jobs", {}).setdefault(name, {})
    for key, value in values.items():
        table.pop(key, None)
        if value is not None:
            table[key] = value
    changed = saving.with_keys(text, name, values)
    assert filled(tomllib.loads(changed)) == filled(expected)
    assert changed.count(COMMENT) >= text.count(COMMENT) - len(values)


@given(texts(), NAMES)
def test_a_job_is_taken_out_and_all_else_stays(text: str, name: str) -> None:
    """Also the comment above the job that follows."""
    expected = tomllib.loads(text)
    expected.get("jobs", {}).pop(name, None)
    assert filled(tomllib.loads(saving.without(text, name))) == filled(expected)


@given(texts(), NAMES, NAMES)
def test_a_job_is_renamed_and_all_else_stays(text: str, old: str, new: str) -> None:
    """Every sign but the name's stays where it is."""
    expected = tomllib.loads(text)
    jobs = expected.get("jobs", {})
    if old not in jobs or new in jobs:
        return
    jobs[new] = jobs.pop(old)
    changed = saving.renamed(text, old, new)
    assert tomllib.loads(changed) == expected
    assert changed.count(COMMENT) == text.count(COMMENT)


def test_lines_end_as_those_of_the_file() -> None:
    """An editor of Windows would show a file of both kinds as one long line."""
    text = "version = 1\r\n\r\n[jobs.home]\r\ncommand = ['x']\r\n"
    text = saving.with_keys(text, "home", {"every": "1d"})
    text = saving.with_keys(text, "more", {"command": ["y"]})
    assert text.count("\n") == text.count("\r\n") == 8
    assert set(tomllib.loads(text)["jobs"]) == {"home", "more"}
