"""The jobs of the configuration file: each key, each fault with its place, and faults that stay with their job."""

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from tray import config
from tray.config import file, jobs
from tray.config.jobs import CONDITIONS, KEYS, RULES, CheckSettings, Job
from tray.core.clock import DAY_MS
from tray.core.errors import ConfigError
from tray.core.paths import Places, private

GOOD: dict[str, Any] = {
    "engine": "restic",
    "sources": ["/home/ann", "~/Documents"],
    "excludes": ["*.tmp"],
    "repository": "/media/disk/backup",
    "password_file": "/etc/secret",
    "environment_file": "~/backup.env",
    "options": ["--exclude-caches"],
    "enabled": False,
    "every": "1d",
    "zone": "Europe/Berlin",
    "delay": "15m",
    "max_age": "7d",
    "conditions": ["power", "target"],
    "before": ["/bin/mount", "/media/disk"],
    "after": ["/bin/umount", "/media/disk"],
    "keep_logs": "off",
    "notify": ["failure"],
    "watched": "crontab of ann",
    "matches": ["restic /media/disk/backup"],
    "stalled_after": "2h",
    "check": {"every": "30d"},
    "off_until": "2026-12-24",
}
"""Every key that can stand beside the others, with a value that makes sense."""

SECONDARY = {
    *("every", "on", "rhythm", "zone", "delay", "max_age", "keep_logs", "notify", "watched", "matches"),
    *("stalled_after", "check", "off_until"),
}
"""Keys whose fault leaves the job running."""

WRONG = st.one_of(
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.just([]),
    st.just({}),
    st.just("\x01"),
    st.lists(st.integers(), min_size=1, max_size=2),
    st.dictionaries(st.sampled_from(["a", "every"]), st.integers(), min_size=1),
    st.datetimes(),
)


def read(table: dict[str, Any] | None = None, *, text: str = "") -> jobs.Configured:
    """Return the jobs of *text*, or of a file with the one table [jobs.home]."""
    return jobs.configured(file.Document(Path("/etc/config.toml"), text or tomlkit.dumps({"jobs": {"home": table}})))


def test_every_key_reaches_the_job() -> None:
    """A job is what its table says, with times in milliseconds."""
    configured = read(GOOD)
    assert (configured.broken, configured.notes) == ({}, ())
    assert configured.jobs["home"] == Job(
        name="home",
        engine="restic",
        sources=("/home/ann", "~/Documents"),
        repository="/media/disk/backup",
        password_file="/etc/secret",
        options=("--exclude-caches",),
        excludes=("*.tmp",),
        environment_file="~/backup.env",
        enabled=False,
        rhythm="stated",
        every_ms=DAY_MS,
        zone="Europe/Berlin",
        delay_ms=900_000,
        max_age_ms=7 * DAY_MS,
        conditions=("power", "target"),
        before=("/bin/mount", "/media/disk"),
        after=("/bin/umount", "/media/disk"),
        keep_logs_ms=0,
        notify=("failure",),
        watched="crontab of ann",
        matches=("restic /media/disk/backup",),
        stalled_after=7200.0,
        check=CheckSettings("stated", 30 * DAY_MS),
        off_until_ms=1_798_066_800_000,
    )
    assert configured.owners == {"restic /media/disk/backup": "home"}
    assert {*GOOD, "command", "on", "rhythm", "password_command"} == {*KEYS}


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ({"command": ["x"], "every": "2w"}, "every_ms", 14 * DAY_MS),
        ({"command": ["x"], "on": "15 2 * * *"}, "on", "15 2 * * *"),
        ({"command": ["x"], "on": "Mon..Fri 20:30"}, "rhythm", "stated"),
        ({"command": ["x"]}, "rhythm", "learn"),
        ({"rhythm": "off"}, "rhythm", "off"),
        ({"command": ["x"], "max_age": "off"}, "max_age_off", True),
        ({"command": ["x"], "keep_logs": "30d"}, "keep_logs_ms", 30 * DAY_MS),
        ({"command": ["x"], "notify": []}, "notify", ()),
        ({"command": ["x"]}, "notify", None),
        ({"command": ["x"]}, "engine", None),
        ({"command": ["x"], "check": {"every": "off"}}, "check", CheckSettings()),
        ({"command": ["x"], "zone": "UTC", "off_until": "2026-12-24"}, "off_until_ms", 1_798_070_400_000),
        ({"command": ["x"], "zone": "UTC", "off_until": date(2026, 12, 24)}, "off_until_ms", 1_798_070_400_000),
        ({"command": ["x"], "check": {"every": "off"}}, "check_every_ms", None),
        ({"command": ["x"], "check": {"on": "Sun 12:00"}}, "check", CheckSettings("stated", on="Sun 12:00")),
        ({"command": ["x"], "check": {"rhythm": "learn"}}, "check", CheckSettings("learn")),
        ({"command": ["x"], "check": {"max_age": "60d"}}, "check", CheckSettings(max_age_ms=60 * DAY_MS)),
        ({"command": ["x"], "check": {"read_data": "5%"}}, "check_read_data", "5%"),
        ({"every": "1d"}, "runnable", False),
        ({"stalled_after": "1h"}, "runnable", False),
        ({"command": ["x"]}, "runnable", True),
        ({"sources": ["/a"], "repository": "/r", "password_command": ["pass", "r"]}, "password_command", ("pass", "r")),
        ({"command": ["x"], "conditions": [*CONDITIONS, "power"]}, "conditions", CONDITIONS),
        ({"command": ["x"], "notify": list(RULES)}, "notify", RULES),
    ],
)
def test_a_key_means(table: dict[str, Any], field: str, value: object) -> None:
    """Each form of a key, and each default."""
    configured = read(table)
    assert (getattr(configured.jobs["home"], field), configured.broken) == (value, {})


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("jobs.home = 3\n", (1, 1), "must be a table"),
        ("[jobs.home]\n", (1, 1), "it is empty"),
        ("[jobs.home]\nsources = []\n", (1, 1), "needs `sources` and `repository`"),
        ('[jobs.home]\npassword_file = "/p"\nevery = "1d"\n', (1, 1), "needs `sources` and `repository`"),
        ('[jobs.home]\nrepository = "/r"\n  sources = "/home"\n', (3, 3), "list of texts"),
        ('[jobs]\n  home.sources = ["a"]\n', (2, 3), "absolute"),
        ('[jobs]\nhome = { sources = ["a"] }\n', (2, 1), "absolute"),
        ('[jobs.home]\nsources = ["/a"]\n[jobs.b]\nsources = ["b"]\n', (1, 1), "a job needs"),
        ('[jobs.home]\nsources = ["/a"]\nrepository = 7\n', (3, 1), "must be text"),
        ('[jobs.home]\ncommand = ["x"]\nenvironment_file = "here"\n', (3, 1), "absolute path"),
        ('[jobs.home]\ncommand = ["x"]\nbefore = []\n', (3, 1), "must be a command line"),
        ('[jobs.home]\ncommand = ["x"]\nconditions = ["pwoer"]\n', (3, 1), "did you mean 'power'?"),
        (
            '[jobs.home]\nsources = ["/a"]\nrepository = "/r"\npassword_file = "/p"\npassword_command = ["p"]\n',
            (5, 1),
            "exclude each other",
        ),
    ],
)
def test_a_job_whose_command_is_not_clear_is_broken(text: str, place: tuple[int, int], why: str) -> None:
    """It is not run on a guess; line and column are named."""
    configured = read(text=text)
    assert "home" not in configured.jobs
    error = configured.broken["home"]
    assert ((error.line, error.column), why in error.why) == (place, True), error.why
    assert f"line {place[0]}, column {place[1]}" in error.what
    assert f"nano +{place[0]},{place[1]} " in error.next


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('every = "daily"', "length of time of at least a minute"),
        ('every = "off"', 'rhythm = "off"'),
        ('every = "0s"', 'such as "1d"; write rhythm = "off"'),
        ('on = "CRON_TZ=Europe/Berlin 15 2 * * *"', 'write on = "15 2 * * *" and zone = "Europe/Berlin"'),
        ('on = "*:*:0/3"', "many moments within a minute"),
        ("every = 86400", "length of time"),
        ('rhythm = "daily"', '"learn" or "off"'),
        ('zone = "Europe/Berln"', "did you mean 'Europe/Berlin'?"),
        ('zone = "Europe"', "no time zone"),
        ('zone = "../../etc/passwd"', "no time zone"),
        ('on = ""', "not empty"),
        ('on = "a\\tb"', "printable"),
        ('delay = "soon"', "length of time"),
        ('max_age = "old"', "length of time"),
        ('keep_logs = "1h"', "of at least a day"),
        ('notify = ["faliure"]', "did you mean 'failure'?"),
        ('watched = ""', "not empty"),
        ("matches = [3]", "list of texts"),
        ('stalled_after = "soon"', "length of time"),
        ('check = "30d"', "must be a table"),
        ('check = { evry = "30d" }', "did you mean 'every'?"),
        ('check = { every = "often" }', "length of time"),
        ('on = "daily"\nevery = "1d"', "exclude each other"),
    ],
)
def test_a_fault_beside_the_command_leaves_the_job_running(line: str, why: str) -> None:
    """A wrong reminder costs no backup, and the job is called broken until it is mended."""
    configured = read(text=f'version = 1\n[jobs.home]\ncommand = ["true"]\n{line}\n')
    assert configured.jobs["home"] == Job("home", None, command=("true",))
    error = configured.broken["home"]
    assert (error.line, why in error.why) == (4, True), error.why
    assert not error.why.endswith("?.")


def test_several_calendar_expressions_stand_on_a_line_each() -> None:
    """A timer may have several OnCalendar lines, and a watched job has them all."""
    assert read({"on": "Mon 10:00\nFri 12:00"}).jobs["home"].on == "Mon 10:00\nFri 12:00"


@given(st.sampled_from(KEYS), WRONG)
def test_a_wrong_value_stays_with_its_job(key: str, value: object) -> None:
    """Whatever stands behind a key: an error of ours with its place, or a job that can be used; the others work."""
    base = {name: GOOD[name] for name in ("sources", "repository")} | {key: value}
    text = f"version = 1\n[jobs.other]\ncommand = ['true']\n[jobs.home]\n{tomlkit.dumps(base)}"
    configured = read(text=text)
    assert configured.jobs["other"] == Job("other", None, command=("true",))
    fault = configured.broken.get("home")
    if fault is not None:
        assert fault.line is not None
        assert fault.next
        assert ("home" in configured.jobs) == (key in SECONDARY)
    else:
        assert "home" in configured.jobs


@given(st.text(max_size=90))
def test_any_name_is_a_job_or_an_error(name: str) -> None:
    """A table may be called anything."""
    content = {"jobs": {name: {"command": ["true"]}}}
    try:
        document = file.Document(Path("/c"), tomlkit.dumps(content))
    except ConfigError:
        return
    configured = jobs.configured(document)
    assert [*configured.jobs, *configured.broken] == [name]
    assert (name in configured.jobs) == jobs.is_name(name)


@pytest.mark.parametrize("key", ["every", "max_age", "delay", "keep_logs"])
def test_no_length_of_time_ends_beyond_the_calendar(key: str) -> None:
    """A moment in the year 21192 cannot be shown."""
    assert read(text=f'[jobs.a]\ncommand = ["a"]\n{key} = "36500d"\n').broken == {}
    assert (
        f"`{key}` must be at most 36,500 days"
        in read(text=f'[jobs.a]\ncommand = ["a"]\n{key} = "999999w"\n').broken["a"].why
    )


def test_two_jobs_do_not_share_an_automatic_name() -> None:
    """Each run belongs to one job."""
    text = '[jobs.a]\ncommand = ["a"]\nmatches = ["x"]\n[jobs.b]\ncommand = ["b"]\nmatches = ["x"]\n'
    configured = read(text=text)
    assert configured.owners == {"x": "a"}
    assert "belongs to the job 'a'" in configured.broken["b"].why


def test_the_name_of_a_job_holds_no_password() -> None:
    """On record it would be hidden, and no run would be one of that job; one that is hidden already is no fault."""
    text = '[jobs."rest:https://u:{}@host/x"]\ncommand = ["a"]\n'
    assert [bool(read(text=text.format(word)).broken) for word in ("hunter2", "***")] == [True, False]


def test_no_job_takes_the_runs_of_another_one(places: Places) -> None:
    """Two jobs that list each other's names would swap their runs: the one that fails would be called fine."""
    text = '[jobs.a]\ncommand = ["a"]\nmatches = ["b", "a", "x"]\n[jobs.b]\ncommand = ["b"]\nmatches = ["a"]\n'
    configured = read(text=text)
    assert configured.owners == {"a": "a", "x": "a"}
    assert ["is a job of its own" in configured.broken[name].why for name in "ab"] == [True, True]
    private(places.config)
    places.config_file.write_text(f"version = 1\n{text}")
    assert [config.load(places).owner(name) for name in "abx"] == ["a", "b", "a"]
    assert {*configured.jobs} == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            'version = 1\n[jobs.home]\ncommand = ["x"]\nevry = "1d"\n',
            "[jobs.home] has an unknown key `evry`, which has no effect; did you mean 'every'? (config.toml, line 4)",
        ),
        (
            '[jobs."my photos"]\ncommand = ["x"]\nqqqq = 1\n',
            '[jobs."my photos"] has an unknown key `qqqq`, which has no effect (config.toml, line 3)',
        ),
        (
            '[jobs.home]\ncommand = ["x"]\nexcludes = ["*.tmp"]\n',
            "[jobs.home] has `excludes`, which has no effect beside `command` (config.toml, line 3)",
        ),
        (
            "[job.home]\ncommand = ['x']\n",
            "The configuration has an unknown key `job`, which has no effect; did you mean 'jobs'? (config.toml, line 1)",
        ),
    ],
)
def test_a_key_without_effect_is_named(text: str, note: str) -> None:
    """A mistyped key breaks nothing and does not go unseen."""
    configured = read(text=text)
    assert (configured.notes, configured.broken) == ((note,), {})


def test_a_place_is_found_in_spite_of_texts_that_look_like_tables() -> None:
    """Headers inside texts, lists over many lines and comments do not lead astray."""
    text = (
        '# [jobs.home]\nx = """\n[jobs.home]\nevery = 1\n"""\ny = [\n  "[jobs.home]", # ]\n  \'\'\'a\nb\'\'\',\n]\n'
        '[jobs."home"] # "\ncommand = [\n  "true",\n]\n"every" = 7\n'
    )
    error = read(text=text).broken["home"]
    assert text.split("\n")[14] == '"every" = 7'
    assert (error.line, error.column) == (15, 1)


@pytest.mark.parametrize("put", ["folder", "unreadable", "big", "newer"])
def test_a_file_that_cannot_be_followed_has_no_jobs(places: Places, put: str) -> None:
    """A folder, a file of another user, ten megabytes, the file of a newer version: an error with a next step."""
    private(places.config)
    if put == "folder":
        places.config_file.mkdir()
    elif put == "unreadable":
        places.config_file.symlink_to("/proc/self/mem")
    elif put == "big":
        places.config_file.write_text("#" * 10_000_000)
    else:
        places.config_file.write_text("version = 2\n[jobs.home]\ncommand = ['x']\n")
    for load in (jobs.load, config.load):
        with pytest.raises(ConfigError) as caught:
            load(places)
        assert caught.value.next


def test_a_fault_of_a_general_setting_stops_no_job(places: Places) -> None:
    """A typing error under [audit] costs no backup."""
    private(places.config)
    places.config_file.write_text("[jobs.home]\ncommand = ['x']\n[audit]\nsegment = 1\n")
    assert {*jobs.load(places).jobs} == {"home"}
    with pytest.raises(ConfigError):
        config.load(places)


@pytest.mark.process
def test_general_settings_load_no_jobs() -> None:
    """A wrapper that reads them pays neither for the jobs nor for time zones."""
    code = "import sys, tray.config, tray.cli.run; print(*{'tray.config.jobs', 'zoneinfo', 'difflib'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""
