"""Describe each kind of channel, with the lines of config.toml that add it: README, window and terminal show the same."""

from tray.core.dataclass import dataclass

FOLDER = "~/.config/backup-tray"
"""The folder in which the lines name their secrets."""


@dataclass(frozen=True, slots=True)
class ChannelLines:
    """A kind of channel, as the lines that add it.

    Attributes:
        type: The name of the kind in config.toml, and of the channel in `lines`.
        title: Its usual name.
        about: Its use, in one sentence.
        lines: A table of config.toml, complete but for the addresses, which are examples.
        then: The steps beside it, a sentence each, with commands between backticks.
    """

    type: str
    title: str
    about: str
    lines: str
    then: tuple[str, ...] = ()

    @property
    def inline(self) -> str:
        """The lines as one, to stand below [channels] with others."""
        _, *keys = self.lines.splitlines()
        return f"{self.type} = {{ {', '.join(keys)} }}"


def _secret(name: str, thing: str) -> str:
    return f"Put {thing} into `{FOLDER}/{name}`, and let only yourself read it: `chmod 600 {FOLDER}/{name}`."


ALL = (
    ChannelLines(
        "desktop",
        "Desktop",
        "Notices on this desktop come without any line; these lines give them quiet hours.",
        '[channels.desktop]\nquiet = "22:00-07:00"',
    ),
    ChannelLines(
        "mail",
        "Mail",
        "Mail about failures, overdue backups and recoveries, and once a week how every job is.",
        '[channels.mail]\nto = ["ann@example.com"]\nserver = "smtp://mail.example.com:587"\nuser = "ann"\n'
        f'secret_file = "{FOLDER}/mail.password"',
        (
            _secret("mail.password", "the password"),
            "Without `server` the local mail program sends, and needs neither user nor password.",
        ),
    ),
    ChannelLines(
        "ntfy",
        "ntfy",
        "Messages to the phone, by ntfy.sh or a server of your own.",
        '[channels.ntfy]\ntopic = "a-name-that-is-hard-to-guess"',
        (
            "`url` names a server of your own, and `secret_file` the file with an access token.",
            "Subscribe to the same topic in the app. Everyone who guesses its name can read it.",
        ),
    ),
    ChannelLines(
        "webhook",
        "Webhook",
        "JSON to an address of your own, signed as Standard Webhooks has it.",
        f'[channels.webhook]\nurl = "https://example.com/backups"\nsecret_file = "{FOLDER}/webhook.key"',
        (_secret("webhook.key", "the signing key (whsec_…)"),),
    ),
    ChannelLines(
        "apprise",
        "Apprise",
        "Messages by a hundred more services: Telegram, Matrix, Slack, Signal and others.",
        f'[channels.apprise]\nsecret_file = "{FOLDER}/apprise.url"',
        (
            _secret("apprise.url", "the address of the service (tgram://…)"),
            "Apprise is a package of its own: `backup-tray notify test apprise` says how to install it.",
        ),
    ),
    ChannelLines(
        "healthchecks",
        "healthchecks",
        "A ping after each run to healthchecks.io or a server of your own, which raises the alarm when none comes.",
        f'[channels.healthchecks]\nurl = "https://hc-ping.com"\nsecret_file = "{FOLDER}/healthchecks.key"',
        (_secret("healthchecks.key", "the ping key of your project"), "Each job then has a check of its own."),
    ),
    ChannelLines(
        "kuma",
        "Uptime Kuma",
        "A push monitor of Uptime Kuma, which is down while a job has failed or is overdue.",
        f'[channels.kuma]\nurl = "https://kuma.example.com"\nsecret_file = "{FOLDER}/kuma.token"',
        (_secret("kuma.token", "the token of the push monitor (the last part of its address)"),),
    ),
    ChannelLines(
        "mqtt",
        "Home Assistant",
        "The state of every job as sensors in Home Assistant, by an MQTT broker.",
        '[channels.mqtt]\nurl = "mqtt://homeassistant.local:1883"\nuser = "backup"\n'
        f'secret_file = "{FOLDER}/mqtt.password"',
        (
            _secret("mqtt.password", "the password"),
            "A broker without a login needs neither `user` nor password.",
        ),
    ),
)
"""Every kind of channel, those for people first."""
TITLES = {kind.type: kind.title for kind in ALL}
"""The usual name of each kind."""
