"""The table [audit] of the configuration."""

import pytest

from tray import config
from tray.config import AuditConfig, address, saving
from tray.config.jobs import Job
from tray.core.errors import ConfigError
from tray.core.paths import Places, private

DAY_MS = 86_400_000
WHOLE = """\
version = 1

[audit]
# kept when the program saves this file
baselines = ["/media/stick/backup-tray", "repository", "journald", "syslog"]
segment = 512
retention = "365d"
archive = "/media/archive"
verify_every = "12h"
forward = ["journald", "udp://loghost:5514"]
later = "a key of a newer version"
"""


def write(places: Places, text: str) -> Places:
    """Make *text* the configuration."""
    private(places.config)
    places.config_file.write_text(text)
    return places


def test_without_the_table_everything_is_kept_and_verified_weekly(places: Places) -> None:
    """No configuration is needed."""
    assert config.load(places).audit == AuditConfig()
    assert AuditConfig().retention_ms is None
    assert AuditConfig().verify_every_ms == 7 * DAY_MS


def test_every_key_is_read(places: Places) -> None:
    """Each key has its effect; a key of a newer version does no harm."""
    assert config.load(write(places, WHOLE)).audit == AuditConfig(
        baselines=("/media/stick/backup-tray", "repository", "journald", "syslog"),
        segment=512,
        retention_ms=365 * DAY_MS,
        archive="/media/archive",
        verify_every_ms=DAY_MS // 2,
        forward=("journald", "udp://loghost:5514"),
    )


def test_lengths_of_time_can_be_off(places: Places) -> None:
    """Nothing is pruned, and nothing is verified by itself."""
    audit = config.load(write(places, '[audit]\nretention = "off"\nverify_every = "off"\n')).audit
    assert (audit.retention_ms, audit.verify_every_ms) == (None, None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('baselines = "repository"', "`baselines` must be a list"),
        ('baselines = ["repository", 3]', "`baselines` must be a list"),
        ('baselines = ["stick"]', "'stick' in `baselines` is not an absolute folder"),
        ('baselines = ["~/copies"]', "'~/copies' in `baselines` is not an absolute folder"),
        ("segment = 1000", "a multiple of 256"),
        ("segment = 0", "a multiple of 256"),
        ("segment = true", "a multiple of 256"),
        ('retention = "1h"', "of at least a day"),
        ("retention = 30", 'such as "365d"'),
        ('verify_every = "weekly"', 'such as "7d"'),
        ('verify_every = "0d"', 'such as "7d"'),
        ('archive = "archive"', "`archive` must be an absolute folder"),
        ("archive = 1", "`archive` must be an absolute folder"),
        ('forward = ["tcp://loghost:514"]', "in `forward` is not"),
        ('forward = ["udp://loghost:0"]', "in `forward` is not"),
        ('forward = ["udp://user@loghost"]', "in `forward` is not"),
    ],
)
def test_what_makes_no_sense_is_named_with_its_line(places: Places, line: str, words: str) -> None:
    """The error leads the user to the line."""
    with pytest.raises(ConfigError) as caught:
        config.load(write(places, f'[watch]\nstalled_after = "1m"\n\n[audit]\n# segment = 1\n{line}\n'))
    assert words in caught.value.why
    assert caught.value.why.startswith("In [audit]: ")
    assert caught.value.line == 6


def test_a_table_that_is_none_is_named(places: Places) -> None:
    """`audit = 1` is a mistake too."""
    with pytest.raises(ConfigError) as caught:
        config.load(write(places, "version = 1\naudit = 1\n"))
    assert caught.value.line == 2


def test_saving_a_job_keeps_the_table(places: Places) -> None:
    """The window sets up a backup and loses neither settings nor comments."""
    saving.save_job(write(places, WHOLE), Job("home", sources=("/home",), repository="/srv"))
    assert WHOLE in places.config_file.read_text()
    assert config.load(places).audit.segment == 512


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("udp://loghost:5514", ("loghost", 5514)),
        ("udp://192.0.2.7", ("192.0.2.7", 514)),
        ("udp://[2001:db8::1]:514", ("2001:db8::1", 514)),
        ("udp://2001:db8::1", None),
        ("udp://loghost:65536", None),
        ("udp://:514", None),
        ("loghost:514", None),
    ],
)
def test_an_address_has_a_host_and_perhaps_a_port(text: str, found: tuple[str, int] | None) -> None:
    """The port is syslog's unless another is named."""
    assert address(text) == found
