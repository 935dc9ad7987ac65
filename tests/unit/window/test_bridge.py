"""The only door between page and Python."""

import json
import re
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import webview
from hypothesis import given
from hypothesis import strategies as some

from tests.waiting import wait_for
from tray.core.errors import BackupTrayError, WebViewUnsafeError
from tray.window import bridge
from tray.window.bridge import Call, Gate, Sealed

SECRET = "s" * 32


class Page:
    """A page that collects the gate's messages."""

    def __init__(self) -> None:
        self.scripts: list[str] = []

    def __call__(self, script: str) -> None:
        """Take a script."""
        self.scripts.append(script)

    def answer(self, count: int = 1) -> list[Any]:
        """Wait for *count* answers and return [ident, reply] of the last."""
        wait_for(lambda: len(self.scripts) >= count, what="an answer")
        assert self.scripts[-1].startswith("BT.answered(")
        return list(json.loads("[" + self.scripts[-1][len("BT.answered(") : -1] + "]"))


def gate(page: Page, answer: Any = lambda: "pong", **takes: bridge.Check) -> Gate:
    """A gate with one call, `ping`."""
    return Gate({"ping": Call(answer, takes)}, SECRET, page)


def message(secret: str = SECRET, **arguments: Any) -> dict[str, Any]:
    """A message as our page sends it."""
    return {"secret": secret, "arguments": arguments}


def test_a_call_of_ours_is_answered() -> None:
    """The page gets its value under the number that it gave."""
    page = Page()
    gate(page)(None, "ping", message(), "7")
    assert page.answer() == ["7", {"value": "pong"}]


@pytest.mark.parametrize(
    "name",
    ["pong", "answer", "ping.answer", "ping.__globals__", "__class__", "_calls", "", None, 5, ["ping"], {"ping": 1}],
)
def test_no_other_name_is_answered(name: object) -> None:
    """Names are looked up in one closed table and nowhere else."""
    page = Page()
    door = gate(page)
    door(None, name, message(), "1")
    door(None, "ping", message(), "2")
    assert page.answer()[0] == "2"
    assert len(page.scripts) == 1


@pytest.mark.parametrize(
    ("sent", "ident"),
    [
        (message(secret="guess"), "1"),
        (message(secret="\ud800"), "1"),
        ({"arguments": {}}, "1"),
        ({"secret": SECRET}, "1"),
        ({"secret": SECRET, "arguments": []}, "1"),
        ({"secret": [SECRET], "arguments": {}}, "1"),
        ([], "1"),
        (None, "1"),
        (message(), '1"); alert("'),
        (message(), 1),
        (message(), None),
        (message(), "1" * 13),
    ],
)
def test_whatever_does_not_fit_is_dropped(sent: object, ident: object) -> None:
    """Without the secret of this start, or in another form, nothing is called and nothing is said."""
    page, called = Page(), threading.Event()
    door = gate(page, called.set)
    door(None, "ping", sent, ident)
    assert not called.is_set()
    assert page.scripts == []


def test_arguments_must_be_exactly_those_of_the_call() -> None:
    """One too many, one too few or one of the wrong kind is an error in plain words."""
    page = Page()
    door = gate(page, lambda number: number, number=bridge.number)
    for count, arguments in enumerate(
        [{}, {"number": 1, "more": 2}, {"number": "1"}, {"number": -1}, {"number": True}], 1
    ):
        door(None, "ping", message(**arguments), "1")
        assert "makes no sense" in page.answer(count)[1]["error"]["what"]
    door(None, "ping", message(number=2**53 - 1), "1")
    assert page.answer(6)[1] == {"value": 2**53 - 1}


def test_an_error_of_ours_reaches_the_page_with_its_next_step() -> None:
    """The page gets the error's sentence, its reason and its next step."""

    def fails() -> None:
        raise BackupTrayError("It broke.", why="It was old.", next="Buy another.")

    page = Page()
    gate(page, fails)(None, "ping", message(), "1")
    error = page.answer()[1]["error"]
    assert (error["what"], error["why"], error["next"]) == ("It broke.", "It was old.", "Buy another.")


@pytest.mark.parametrize(
    "failure",
    [RuntimeError("secret /home/me"), OSError(13, "Permission denied", "/x"), KeyError("k"), RecursionError()],
)
def test_no_traceback_reaches_the_page(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """A mistake of ours is called one; file names of the program and its innards stay inside."""

    def fails() -> None:
        raise failure

    page = Page()
    gate(page, fails)(None, "ping", message(), "1")
    reply = page.answer()[1]
    assert reply["error"]["next"]
    assert "Traceback" not in json.dumps(reply)
    assert ".py" not in json.dumps(reply)
    assert "secret" not in json.dumps(reply)


def test_a_flood_of_calls_is_cut() -> None:
    """A page that calls without end cannot make threads without end."""
    page, gone_on = Page(), threading.Event()
    door = gate(page, lambda: gone_on.wait(60))
    for number in range(100):
        door(None, "ping", message(), str(number))
    gone_on.set()
    wait_for(lambda: len(page.scripts) == bridge._BUSY_LIMIT, what="the calls that were let in")


def test_the_gate_takes_the_place_of_pywebviews_door() -> None:
    """After the installation pywebview's own look-up of names is out of reach."""
    platform = ModuleType("platform")
    platform.js_bridge_call = lambda *_: None  # type: ignore[attr-defined]
    door = gate(Page())
    bridge.install(platform, door)
    assert platform.js_bridge_call is door  # type: ignore[attr-defined]


def test_without_a_door_to_guard_nothing_opens() -> None:
    """A pywebview that is built differently is refused: better no window than an open door."""
    with pytest.raises(WebViewUnsafeError):
        bridge.install(ModuleType("platform"), gate(Page()))


@pytest.mark.parametrize("platform", ["gtk", "qt", "edgechromium", "cocoa"])
def test_the_installed_pywebview_has_the_door(platform: str) -> None:
    """On every platform messages go through one function, found as a global of its module: the one that we replace."""
    source = (Path(webview.__file__).parent / "platforms" / f"{platform}.py").read_text()
    assert re.search(r"^from webview\.util import .*?\bjs_bridge_call\b", source, re.MULTILINE | re.DOTALL)
    assert re.search(r"^ +(return )?js_bridge_call\(", source, re.MULTILINE)


@pytest.mark.parametrize("name", ["answer", "__class__", "__dict__", "__globals__", "_calls", "__init__", "__reduce__"])
def test_a_sealed_object_has_no_attribute(name: str) -> None:
    """The object that pywebview holds as its API gives nothing to a script that asks by name."""
    with pytest.raises(AttributeError):
        getattr(Sealed(), name)
    assert dir(Sealed()) == []


@pytest.mark.parametrize("text", ["a", "", "a" * 10, "name with \udcff bytes"])
def test_text_of_file_names_comes_through(text: str) -> None:
    """Also a file name that is no UTF-8."""
    assert bridge.text(40)(text) == text


@pytest.mark.parametrize("value", ["a" * 11, "a\0b", "\ud800", None, 5, ["a"]])
def test_other_text_is_refused(value: object) -> None:
    """Too long, with a zero byte, or no text at all."""
    with pytest.raises(ValueError, match=r"is needed|surrogates"):
        bridge.text(10)(value)


def test_lists_of_texts_have_a_limit() -> None:
    """Neither too many nor anything but texts."""
    assert bridge.texts(2, 5)(["a", "b"]) == ["a", "b"]
    for value in (["a"] * 3, [1], "ab", None):
        with pytest.raises(ValueError, match=r"is needed|surrogates"):
            bridge.texts(2, 5)(value)


@pytest.mark.parametrize("value", ["../../etc", "0190AAAA", "a/b", "0" * 37, None, 3, "x"])
def test_only_the_form_of_an_id_is_an_id(value: object) -> None:
    """No path can be made of it."""
    with pytest.raises(ValueError, match="id of a run"):
        bridge.run_id(value)


@given(name=some.one_of(some.text(), some.integers(), some.none()), sent=some.recursive(
    some.one_of(some.none(), some.booleans(), some.integers(), some.text()),
    lambda inner: some.one_of(some.lists(inner), some.dictionaries(some.text(), inner)), max_leaves=8),
    ident=some.one_of(some.text(), some.integers()))  # fmt: skip
def test_no_message_without_the_secret_does_anything(name: object, sent: object, ident: object) -> None:
    """Whatever a page sends, without the secret it is as if it had sent nothing."""
    page = Page()
    gate(page)(None, name, sent, ident)
    assert page.scripts == []
