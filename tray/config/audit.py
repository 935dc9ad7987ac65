"""The table [audit] of the configuration.

```toml
[audit]
baselines = ["/media/stick/backup-tray", "repository", "journald"]
segment = 65536
retention = "off"
archive = "/media/archive/backup-tray"
verify_every = "7d"
forward = ["journald", "udp://loghost:514"]
```
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """How the audit log is kept.

    Attributes:
        baselines: Further places for checkpoints: absolute folders, "repository", "journald", "syslog". The copy in the
            configuration's folder is always kept.
        segment: Entries after which a segment of the log is closed; a multiple of 256.
        retention_ms: Closed segments whose newest entry is older may be pruned; None: everything is kept.
        archive: Folder into which closed segments are copied before they are pruned; None: they are not.
        verify_every_ms: How often the whole log is verified; None: never by itself.
        forward: Where every new entry is sent: "journald", "syslog", "udp://host:port".
    """

    baselines: tuple[str, ...] = ()
    segment: int = 65_536
    retention_ms: int | None = None
    archive: str | None = None
    verify_every_ms: int | None = 7 * 86_400_000
    forward: tuple[str, ...] = ()
