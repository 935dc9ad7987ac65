import pytest
from hypothesis import given
from hypothesis import strategies as st

from tray.takeover import yaml_text
from tray.takeover.yaml_text import OddYamlError


def test_anchors_and_merges_are_read() -> None:
    """borgmatic's own tags become plain content, and an include is not followed."""
    text = "a: &x {b: 1}\nc:\n  <<: *x\n  d: !retain [1]\n  e: !include foo.yaml\n<<: !include y.yaml\n"
    assert yaml_text.load(text) == {"a": {"b": 1}, "c": {"b": 1, "d": [1], "e": "foo.yaml"}}


def bomb(levels: int) -> str:
    """Lists of ten aliases each."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int) -> str:
    """Mappings that merge ten others each."""
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{at}: &a{at}\n  <<: [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        bomb(9),
        merges(9),
        "[" * 5000,
        "{a: " * 3000,
        "&a [*a]",
        "a: [",
        "\tx: 1",
        "? {a: b}\n: c\n",
        "x: 2026-13-45\n",
        "a: *no",
    ],
)
def test_a_hostile_text_is_refused(text: str) -> None:
    """Endless, deep or broken YAML gives a reason, and takes no memory."""
    with pytest.raises(OddYamlError, match=r"\w"):
        yaml_text.load(text)


def test_a_reason_quotes_nothing() -> None:
    """A password that begins with a star or an exclamation mark breaks YAML; it must not stand in the message."""
    for text in (
        "a: *hunter2hunter",
        "a: !!int hunter2hunter",
        "a: !!float hunter2hunter",
        "a: @hunter2hunter",
        "? [hunter2hunter]",
    ):
        with pytest.raises(OddYamlError) as raised:
            yaml_text.load(text)
        assert "hunter2" not in str(raised.value)


def test_no_object_is_made() -> None:
    """A tag of Python's stays plain content."""
    with pytest.raises(OddYamlError):
        yaml_text.load("!!python/object/apply:os.system ['true']")


@given(st.text(alphabet="ab:-[]{}&*!<\n '\"#?|>%0", max_size=80))
def test_no_text_fails_in_another_way(text: str) -> None:
    """Any text is read, or refused."""
    try:
        yaml_text.load(text)
    except OddYamlError:
        return
