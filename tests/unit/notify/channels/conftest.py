"""Settings, secrets and certificates for the tests of channels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tray.config.channels import ChannelSettings
from tray.core.paths import Places
from tray.notify import channels


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no proxy of the machine stand between test and server."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority for certificates."""
    return Authority(tmp_path)


@pytest.fixture
def secret_file(tmp_path: Path) -> Callable[[str], str]:
    """A function that puts a secret into a file and returns its path."""

    def write(text: str) -> str:
        file = tmp_path / "secret"
        file.touch(0o600)
        file.write_text(text + "\n")
        return str(file)

    return write


@pytest.fixture
def channel(places: Places) -> Callable[..., channels.Channel]:
    """A function that makes a channel of a type from its options."""

    def make(kind: str, secret: str | None = None, jobs: tuple[str, ...] = (), **options: Any) -> channels.Channel:
        settings = ChannelSettings(kind, kind, options=options, secret_file=secret, jobs=jobs)
        return channels.load(settings, places)

    return make
