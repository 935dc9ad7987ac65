"""rsync's statistics that we asked for are taken out by their structure, whatever their words, and nothing else is."""

import pytest

from tray import engines
from tray.engines.base import Exit, Session, Stream

ENGLISH = """
Number of files: 3 (reg: 2, dir: 1)
Number of created files: 2 (reg: 2)
Total file size: 4 bytes
Number of 4 KiB logical blocks touched: 2
Matched data: 0 bytes
Something new that has no figure
File list generation time: 0.001 seconds
Total bytes sent: 191
Total bytes received: 57

sent 191 bytes  received 57 bytes  496.00 bytes/sec
total size is 4  speedup is 0.02
"""
TRANSLATED = """
Anzahl der Dateien: 3 (normal: 2, Ordner: 1)
Gesamtgröße: 4 Byte
Übertragen: 1.234,5K

gesendet 191 Byte  empfangen 57 Byte  496,00 Byte/s
Gesamtgröße ist 4  Beschleunigung ist 0,02
"""
UPDATE = "\r         32,768   5%    1.20MB/s    0:00:01 (xfr#1, to-chk=5/20)"


def begin(command: str = "rsync -a a/ b/") -> Session:
    """Begin a session of a command given as text."""
    argv = command.split()
    engine, at = engines.recognise(argv, {})
    plan = engine.plan(argv, at, {})
    assert plan.ours
    return engine.session(plan)


def relayed(text: str, command: str = "rsync -a a/ b/", stream: Stream = Stream.OUT) -> str:
    """Return what the caller sees of *text*."""
    session, seen, part = begin(command), b"", b""
    for letter in text.encode():
        part += bytes((letter,))
        if letter in b"\r\n":
            seen, part = seen + session.feed(part, stream).relay, b""
    if part:
        seen += session.feed(part, stream).relay
    held = getattr(session, "held")(stream)  # noqa: B009 - a part of the contract that is optional
    assert isinstance(held, bytes)
    session.conclude(Exit(0))
    return (seen + held).decode()


@pytest.mark.parametrize("block", [ENGLISH, TRANSLATED])
@pytest.mark.parametrize("before", ["", UPDATE + "\n", "created directory b\n"])
def test_a_silent_rsync_stays_silent(block: str, before: str) -> None:
    """Unknown lines and other languages belong to the block."""
    assert relayed(before + block) == before.removeprefix(UPDATE + "\n")


@pytest.mark.parametrize("block", [ENGLISH, TRANSLATED])
@pytest.mark.parametrize("place", range(1, 9))
def test_a_message_among_the_figures_is_relayed(block: str, place: int) -> None:
    """With both streams in one, an error may come between any two lines."""
    error = 'rsync: [sender] read errors mapping "/x": Input/output error (5)\n'
    lines = block.splitlines(keepends=True)
    place = min(place, len(lines) - 1)
    after = "rsync error: some files could not be transferred (code 23) at main.c(1338) [sender=3.2.7]\n"
    assert relayed("".join([*lines[:place], error, *lines[place:], after])).lstrip("\n") == error + after


def test_with_v_the_two_last_lines_are_the_users() -> None:
    """`-v` prints them without us, after an empty line."""
    names = "sending incremental file list\na\nb\n"
    end = "\nsent 191 bytes  received 57 bytes  496.00 bytes/sec\ntotal size is 4  speedup is 0.02\n"
    assert relayed(names + ENGLISH, "rsync -av a/ b/") == names + end
    assert relayed(names + TRANSLATED, "rsync -av a/ b/").startswith(names + "\ngesendet")


@pytest.mark.parametrize(
    "text",
    [
        "Welcome\n\nfile one\nfile two\n",
        "\nNumber: none\n",
        "\nlabel: 12\nanother line\n",
        "\nlabel: 12\n",
        "\nlabel: 12\n\nno figures here\n",
        "\nlabel: 12\n\n1 2 3\nno total\n",
        "\n\n\n",
        "".join(f"\nnumber: {one}\n" for one in range(300)),
        "\n" + "".join(f"number: {one}\n" for one in range(300)),
    ],
)
def test_what_only_resembles_the_block_is_given_back(text: str) -> None:
    """Not one byte of another's words is lost, in their order."""
    seen = relayed(text, "rsync -a host::mod/ b/")
    assert seen == text
    assert relayed(text).strip() in text


@pytest.mark.parametrize("end", range(1, len(UPDATE)))
def test_an_update_that_a_kill_cut_off_is_not_shown(end: int) -> None:
    """A killed rsync leaves half an update."""
    assert relayed(UPDATE + UPDATE[:end]) == ""


def test_words_after_an_update_are_the_callers_also_without_an_end() -> None:
    """An error that a full disk cut is better than none."""
    assert relayed(UPDATE + "\rrsync error: unexpl") == "rsync error: unexpl"
