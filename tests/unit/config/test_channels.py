import pytest

from tray.config import channels


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ntfy.sh", "https://ntfy.sh"),
        ("https://ntfy.sh/", "https://ntfy.sh"),
        ("smtp://mail.example.com:587", "smtp://mail.example.com:587"),
        ("https://hc-ping.com/sesame", "https://hc-ping.com/***"),
        ("https://hooks.example?key=sesame", "https://hooks.example/***"),
        ("HTTPS://ann:sesame@hooks.example:8/sesame#sesame", "https://hooks.example:8/***"),
        ("tgram://sesame/sesame", "tgram://***"),
        ("json://ann:sesame@hooks.example", "json://***"),
        ("see https://hooks.example/sesame\nsesame", "see https://hooks.example/***"),
        ("ann@example.com", "ann@example.com"),
        ("22:00-07:00", "22:00-07:00"),
    ],
)
def test_an_address_is_shown_up_to_its_host(text: str, shown: str) -> None:
    """A token may stand behind it; an address of Apprise may have one in place of the host."""
    assert channels.shown(text) == shown
