"""The document: put together, guarded, and free of anything that data could turn into code."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.e2e import statuses
from tray.core import paths
from tray.window import bridge, instance

WEB = paths.assets() / "web"
SCRIPTS = sorted(WEB.glob("js/**/*.js"))


def test_the_document_stands_alone() -> None:
    """Nothing is loaded from anywhere: every style and script is inside, each with the nonce of this start."""
    page = bridge.build(WEB, {"a": 1})
    assert 'src="' not in page
    assert "<link" not in page
    nonces = set(re.findall(r'nonce="([^"]+)"', page))
    assert len(nonces) == 1
    assert f"script-src 'nonce-{nonces.pop()}'" in page
    assert page.count("<script nonce=") == len(SCRIPTS)
    assert page.index("Content-Security-Policy") < page.index("<style")


def test_the_nonce_is_new_at_every_start() -> None:
    """A nonce that an attacker saw once is worth nothing."""
    nonces = {re.search(r'nonce="([^"]+)"', bridge.build(WEB, {}))[1] for _ in range(3)}  # type: ignore[index] # it is there
    assert len(nonces) == 3


def test_the_policy_allows_nothing_by_default() -> None:
    """No connection, image, frame, form, base address, inline code or eval."""
    policy = bridge.policy("n")
    assert policy.startswith("default-src 'none'")
    for words in ("unsafe", "http", "data:", "*", "'self'"):
        assert words not in policy
    for words in ("base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"):
        assert words in policy


def test_the_start_data_cannot_end_its_element() -> None:
    """A job named like the end of a script stays data."""
    page = bridge.build(WEB, {"name": statuses.NASTY + "<!--</SCRIPT>"})
    held = re.search(r'<script type="application/json" id="boot">(.*?)</script>', page, re.DOTALL)
    assert held is not None
    assert json.loads(held[1]) == {"name": statuses.NASTY + "<!--</SCRIPT>"}


@given(some.text())
def test_data_is_safe_as_script_and_as_markup(text: str) -> None:
    """ASCII only, without angle brackets: safe inside a script, inside HTML and in calls that count bytes as characters."""
    literal = bridge.literal({"text": text})
    assert literal.isascii()
    assert not set(literal) & set("<>&\n")
    assert json.loads(literal) == {"text": text}


def test_numbers_that_are_no_json_are_refused() -> None:
    """NaN would break the page's parser."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        bridge.literal(float("nan"))


def test_a_script_that_holds_its_own_end_is_refused(tmp_path: Path) -> None:
    """A mistake in our own files is found at the start, not by the browser's parser."""
    (tmp_path / "index.html").write_text('<script src="a.js"></script>')
    (tmp_path / "a.js").write_text('const end = "</script>";')
    with pytest.raises(ValueError, match="would end its element early"):
        bridge.build(tmp_path, {})


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_parses_markup_or_runs_text(script: Path) -> None:
    """Data becomes text and attributes, never markup: the functions that parse HTML or code are not used."""
    text = script.read_text()
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "bridge.write", "eval(", "new Function", "DOMParser", "srcdoc",
                 "createContextualFragment", "javascript:", "http://", "https://"):  # fmt: skip
        if word == "http://":
            text = text.replace("http://www.w3.org/2000/svg", "")
        assert word not in text
    assert text.count('"use strict";') == 1


def test_the_markup_has_no_handlers_and_no_styles() -> None:
    """Inline handlers and styles would not run under the policy; none are written."""
    markup = (WEB / "index.html").read_text()
    assert not re.search(r"\son[a-z]+=|\sstyle=|javascript:", markup)


def test_every_file_is_part_of_the_page() -> None:
    """A forgotten file is a page that silently misses."""
    markup = (WEB / "index.html").read_text()
    for path in [*SCRIPTS, *WEB.glob("css/*.css")]:
        assert f'"{path.relative_to(WEB).as_posix()}"' in markup


def test_python_and_page_know_the_same_pages() -> None:
    """Whatever `backup-tray window PAGE` takes is a page that exists, and the other way round."""
    defined = {
        match for path in SCRIPTS for match in re.findall(r"^\s*BT\.pages\.(\w+) = ", path.read_text(), re.MULTILINE)
    }
    assert defined == set(instance.PAGES)


def test_python_answers_every_call_of_the_page_and_no_other() -> None:
    """A call without an answer would hang; an answer that the page never calls is an open door for nothing."""
    from tray.window.calls import table

    called = {match for path in SCRIPTS for match in re.findall(r'BT\.call\("(\w+)"', path.read_text())}
    assert called == set(table(paths.places(), _Nothing(), _Nothing()))  # type: ignore[arg-type] # nothing is called


class _Nothing:
    """Stands where nothing is asked."""

    def __getattr__(self, name: str) -> object:
        return lambda *_: None
