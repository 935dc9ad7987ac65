"""`audit show` and `history` with filters: what people type, and what they read."""

import json

import pytest

from tests.unit.audit.help import end, filled, start, writer
from tray.audit import spool
from tray.audit.search.conditions import Filter
from tray.cli.main import main
from tray.core import clock
from tray.core.model import EndedRun, Instance, Outcome
from tray.core.paths import Places
from tray.status import past_runs, system_history

Output = pytest.CaptureFixture[str]
DAY = clock.DAY_MS


def shown(capsys: Output, *words: str) -> list[str]:
    """The lines that the command prints; it must succeed."""
    assert main(list(words)) == 0
    return capsys.readouterr().out.splitlines()


def mixed(places: Places) -> None:
    """Ends of two jobs over three days, one of them a failure with words of its own."""
    now = clock.now_ms()
    with writer(places) as log:
        log.append(
            [
                end("a1", job="alpha", time_ms=now - 3 * DAY),
                end("b1", job="beta", time_ms=now - 2 * DAY, outcome=Outcome.FAILED, body={"reason": "No space left."}),
                end("a2", job="alpha", time_ms=now - 1000),
                start("a3", job="alpha", time_ms=now - 500),
            ]
        )


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        ([], ["a2", "b1", "a1"]),
        (["--job", "alpha"], ["a2", "a1"]),
        (["--job", "alpha,beta"], ["a2", "b1", "a1"]),
        (["--outcome", "failed"], ["b1"]),
        (["--outcome", "FAILED,lost"], ["b1"]),
        (["--severity", "error"], ["b1"]),
        (["--since", "1d"], ["a2"]),
        (["--until", "1d"], ["b1", "a1"]),
        (["--since", "60h", "--until", "1d"], ["b1"]),
        (["--engine", "restic", "--kind", "backup"], ["a2", "b1", "a1"]),
        (["--source", "wrapped", "--limit", "9"], []),
        (["--text", "space lef"], ["b1"]),
        (["--action", "run.closed"], []),
        (["--limit", "2"], ["a2", "b1"]),
        (["--limit", "2", "--page", "2"], ["a1"]),
        (["--limit", "2", "--page", "3"], []),
    ],
)
def test_history_and_show_agree_on_what_matches(
    places: Places, capsys: Output, options: list[str], runs: list[str]
) -> None:
    """The same options find the same runs in both, the newest first."""
    mixed(places)
    history = shown(capsys, "history", "--json", *options)
    assert [json.loads(line)["run"] for line in history] == runs
    if "--action" not in options:
        options = [*options, "--action", "run.finished,run.closed"]
    entries = shown(capsys, "audit", "show", "--json", *options)
    assert [json.loads(line)["run"] for line in entries] == runs


def test_names_stand_under_one_another_and_cannot_break_the_lines(places: Places, capsys: Output) -> None:
    """One line for each entry, whatever its names hold, and the columns of the others stay where they are."""
    with writer(places) as log:
        log.append([end("r1", job="short"), end("r2", job="a\nb\x1b[31m" + "c" * 80), end("r3", job="middle one")])
    lines = shown(capsys, "audit", "show", "--text", "restic")
    assert len(lines) == 3
    assert not any("\x1b" in line for line in lines)
    assert r"a\nb\x1b[31mccc" in lines[1]
    assert lines[0].index("r3") == lines[2].index("r1")
    assert [line.index("run.finished") for line in lines] == [lines[0].index("run.finished")] * 3
    assert len(shown(capsys, "history")) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--job", "gamma"], "no job 'gamma' is on record. There are: alpha, beta"),
        (["--engine", "borg"], "no engine 'borg' is on record. There are: restic"),
        (["--job", "alpha", "--outcome", "failed"], "matches --job and --outcome together"),
        (["--until", "30d"], "matches --until."),
        (["--page", "7"], "There is no page 7."),
    ],
)
@pytest.mark.parametrize("command", [["history"], ["audit", "show"]], ids=["history", "show"])
def test_when_nothing_matches_it_is_said_why(
    places: Places, capsys: Output, command: list[str], options: list[str], said: str
) -> None:
    """A slip in a name shows the names that there are, anything else what was asked for."""
    mixed(places)
    assert said in " ".join(shown(capsys, *command, *options))
    assert shown(capsys, *command, "--json", *options) == []


@pytest.mark.parametrize(
    "options",
    [
        ["history", "--month", "7d"],
        ["history", "--month", "2026-13"],
        ["history", "--month", "2026-10", "--since", "3d"],
        ["history", "--outcome", "failled"],
        ["history", "--since", "the day of wrath"],
        ["history", "--limit", "0"],
        ["history", "--page", "0"],
        ["history", "--action", "run.started"],
        ["audit", "show", "--severity", "loud"],
        ["audit", "show", "--action", "run"],
        ["audit", "show", "3", "--job", "alpha"],
        ["audit", "show", "--since", "today", "--until", "yesterday"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error_with_a_way_on(places: Places, capsys: Output, options: list[str]) -> None:
    """Exit code 64, and a next step."""
    mixed(places)
    assert main(options) == 64
    assert "  next: " in capsys.readouterr().err


def test_the_way_to_the_next_page_is_said(places: Places, capsys: Output) -> None:
    """On stderr, so that what is piped on stays clean; nothing is said on the last page."""
    filled(places, 5)
    for command in (["history"], ["audit", "show", "--action", "run.finished"]):
        assert main([*command, "--limit", "3"]) == 0
        assert "--page 2" in capsys.readouterr().err
        assert main([*command, "--limit", "3", "--page", "2"]) == 0
        assert capsys.readouterr().err == ""


def test_records_that_wait_are_filtered_too(places: Places, capsys: Output) -> None:
    """A spooled failure is in the history, and left out where it does not match."""
    mixed(places)
    spool.keep(places, [end("w", job="waits", outcome=Outcome.FAILED, body={"reason": "Nobody was there."})])
    for options, runs in (
        ([], ["w", "a2", "b1", "a1"]),
        (["--outcome", "failed"], ["w", "b1"]),
        (["--text", "nobody"], ["w"]),
        (["--job", "alpha"], ["a2", "a1"]),
        (["--limit", "1", "--page", "2"], ["a2"]),
    ):
        lines = shown(capsys, "history", "--json", *options)
        assert [json.loads(line)["run"] for line in lines] == runs


def test_runs_of_the_system_are_filtered_too(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its service does not filter and gives pages: it is asked until there are enough, or too old ones."""
    mixed(places)
    now, asked = clock.now_ms(), []
    runs = [
        EndedRun(run=f"s{number}", job="root", engine="borg", outcome=Outcome.FAILED if number == 7 else Outcome.SUCCEEDED,
                 started_ms=None, finished_ms=now - number * DAY, instance=Instance.SYSTEM, entry=100 - number)
        for number in range(10)
    ]  # fmt: skip

    def history(
        *, limit: int = 50, job: str | None = None, before: int | None = None
    ) -> tuple[list[EndedRun], int | None]:
        asked.append(before)
        rest = [run for run in runs if before is None or (run.entry or 0) < before][: min(limit, 3)]
        return rest, rest[-1].entry if len(rest) == 3 else None

    monkeypatch.setattr(system_history, "history", history)
    assert [run.run for run in past_runs.find(places, Filter(outcome=("failed",))).runs] == ["b1", "s7"]
    asked.clear()
    assert [run.run for run in past_runs.find(places, Filter(since_ms=now - DAY - 1000)).runs] == ["s0", "a2", "s1"]
    assert len(asked) == 1
    first, second = (past_runs.find(places, Filter(), limit=5, page=page) for page in (1, 2))
    assert [run.run for run in first.runs] == ["s0", "a2", "s1", "s2", "b1"]
    assert [run.run for run in second.runs] == ["s3", "a1", "s4", "s5", "s6"]
    assert first.next


def test_a_search_that_ran_out_of_time_says_how_far_it_looked(
    places: Places, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No index and a long log: what was found, since when was looked, and no claim that there is nothing."""
    from tray.audit import search
    from tray.audit.search import index_fill

    with writer(places) as log:
        log.append([end(f"r{number}") for number in range(100)])
    monkeypatch.setattr(index_fill, "update", lambda *_, **__: False)
    monkeypatch.setattr(search.search, "__kwdefaults__", {"seconds": -1.0})
    for command in (["history"], ["audit", "show"]):
        assert main([*command, "--text", "neverseen"]) == 0
        out, err = capsys.readouterr()
        assert out == ""
        assert "only what happened since" in err


@pytest.mark.usefixtures("utc")
def test_a_month_is_all_of_it_and_nothing_else(places: Places, capsys: Output) -> None:
    """`--month` means the local month, in lists and in reports."""
    times = {
        "before": "2026-09-30T23:59:59.999Z",
        "first": "2026-10-01T00:00:00.000Z",
        "last": "2026-10-31T23:59:59.999Z",
        "after": "2026-11-01T00:00:00.000Z",
    }
    with writer(places) as log:
        log.append([end(name, time_ms=clock.from_text(time)) for name, time in times.items()])
    assert [line.split()[2] for line in shown(capsys, "history", "--month", "2026-10")] == ["last", "first"]
    assert len(shown(capsys, "audit", "show", "--month", "2026-10", "--json")) == 2
