"""The doctor tells how the channels of messages stand, whether overdue backups are told, and how old the file of metrics is."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tray.audit.entry import Action
from tray.baselines import unreached
from tray.core import clock
from tray.core.paths import Places, private
from tray.doctor import Check, Level, telling
from tray.notify.channels import apprise
from tray.schedule import watch
from tray.schedule.watch import Watch
from tray.status.kept_files import UNSENT

HOOK = '[channels.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:1/"\n'


def configure(places: Places, text: str) -> None:
    """Write config.toml."""
    private(places.config)
    places.config_file.write_text(text)


def about(checks: "Sequence[Check] | object", words: str) -> Check:
    """Return the one check whose sentence holds *words*."""
    assert isinstance(checks, list)
    (check,) = [check for check in checks if words in check.what]
    assert isinstance(check, Check)
    return check


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No timer, no tracker and no icon."""
    monkeypatch.setattr(watch, "standing", lambda: None)
    monkeypatch.setattr(telling, "starts_at_login", lambda: False)


def test_a_channel_that_cannot_send_is_named_with_its_reason(places: Places) -> None:
    """The remedy tries it again."""
    configure(places, HOOK)
    assert about([*telling.channels(places)], "hook").level is Level.OK
    memory = unreached.Memory(places, private(places.state) / UNSENT, Action.NOTIFICATION_FAILED)
    memory.failed("hook", "The server refused.")
    memory.failed("gone", "It is not configured any more.")
    memory.failed("desktop", "There is no session bus.")
    checks = [*telling.channels(places)]
    hook = about(checks, "Messages by hook cannot be sent: The server refused.")
    assert (hook.level, hook.remedy) == (Level.WARN, "backup-tray notify test hook")
    assert about(checks, "Messages by desktop cannot be sent").level is Level.NOTE
    assert not any("gone" in check.what for check in checks)


def test_faults_of_the_settings_are_named(places: Places) -> None:
    """A channel with a fault, a key without effect, one that is turned off."""
    configure(
        places, f'{HOOK}colour = 1\n[channels.house]\ntype = "mqtt"\n[channels.ntfy]\ntopic = "t"\nenabled = false\n'
    )
    checks = [*telling.channels(places)]
    assert about(checks, "unknown key `colour`").level is Level.WARN
    assert about(checks, "needs `url`").level is Level.WARN
    assert about(checks, "ntfy: turned off").level is Level.NOTE


def test_a_secret_that_others_can_read_is_named(places: Places, tmp_path: Path) -> None:
    """And one whose file or program is missing, before the first message is lost by that."""
    secret = tmp_path / "secret"
    secret.write_text("whsec_AAAA")
    secret.chmod(0o644)
    configure(places, f'{HOOK}secret_file = "{secret}"\n')
    check = about([*telling.channels(places)], "Other users can read")
    assert f"chmod 600 {secret}" in check.what
    secret.chmod(0o600)
    assert about([*telling.channels(places)], "hook").level is Level.OK
    configure(places, f'{HOOK}secret_command = ["no-such-program-here", "x"]\n')
    assert about([*telling.channels(places)], "no-such-program-here").level is Level.WARN


def test_a_missing_extra_is_named_with_its_command(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first message is lost by that."""
    configure(places, '[channels.pager]\ntype = "apprise"\nurl = "json://127.0.0.1:1"\n')
    monkeypatch.setattr(apprise, "find_spec", lambda _: None)
    assert "pip install" in about([*telling.channels(places)], "Apprise is not installed").what


def test_the_hourly_round_is_missed_where_a_channel_hears_nothing(places: Places) -> None:
    """Without a channel beside the desktop nothing is lost."""
    assert telling.hourly_round(places).level is Level.NOTE
    configure(places, HOOK)
    check = telling.hourly_round(places)
    assert (check.level, check.remedy) == (Level.WARN, "backup-tray notify watch on")
    assert "hook hears of no overdue backup" in check.what


def test_a_timer_that_does_not_start_is_named(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command sets it up again; one that needs a login is one that a server has not."""
    fine = Watch("systemd", "systemd timer of this user", "backup-tray.watch.timer")
    for timer, level, remedy in (
        (fine, Level.OK, ""),
        (Watch("systemd", "t", "w", fault="Its timer is disabled."), Level.WARN, "backup-tray notify watch on"),
        (Watch("systemd", "t", "w", needs_login=True), Level.WARN, "backup-tray schedule --linger"),
    ):
        monkeypatch.setattr(watch, "standing", lambda timer=timer: timer)
        check = telling.hourly_round(places)
        assert (check.level, check.remedy) == (level, remedy)


def test_the_file_of_metrics_must_be_young(places: Places, tmp_path: Path) -> None:
    """Missing, old, or in a folder that is not there: each with the step that mends it."""
    file = tmp_path / "node" / "backup-tray.prom"
    assert [*telling.metrics(places)] == []
    configure(places, f'[metrics]\ntextfile = "{file}"\n')
    (check,) = telling.metrics(places)
    assert (check.level, check.remedy) == (Level.BAD, f"ls -ld {file.parent}")
    file.parent.mkdir()
    (check,) = telling.metrics(places)
    assert (check.level, check.remedy) == (Level.WARN, f"backup-tray metrics --textfile {file}")
    file.touch()
    (check,) = telling.metrics(places)
    assert check.level is Level.OK
    old = clock.now_ms() // 1000 - 3 * 3600
    os.utime(file, (old, old))
    (check,) = telling.metrics(places)
    assert (check.level, "3 hours ago" in check.what) == (Level.WARN, True)
    assert check.remedy.startswith("backup-tray notify watch on")
