"""Send new entries to journald or a syslog server (FR-AUD-005).

Each receiver has a cursor: the number and hash of the last entry that it got. Entries are sent in their order and at least once:
the cursor moves after a batch was handed over. Bodies, which hold paths and messages, are not sent; the entry's hash is, so that
the server's records can be compared with the log. UDP does not tell which messages were lost.

A receiver that cannot be reached is put on record once (`audit.forward_failed`), and gets all missed entries when it is back.
"""

from collections.abc import Iterable

from tray.audit.entry import Action
from tray.audit.rows import StoredEntry
from tray.audit.store import AuditLog
from tray.baselines.system_log import Receiver
from tray.baselines.unreached import Memory, alone
from tray.config import Config
from tray.core import clock
from tray.core.paths import Places

FILE = "audit.forwarded"
BATCH = 100
FIRST = 100
"""Number of the newest entries for a receiver that is new, or whose log was replaced."""

SECONDS = 5.0
"""After so long no further batch is begun: the rest waits for the next time."""

FIELDS = (
    "log", "action", "result", "severity", "time", "recorded", "actor", "job", "run", "engine", "kind", "source", "duration_ms",
    "bytes_processed", "bytes_added", "files", "errors", "id",
)  # fmt: skip


def forward(places: Places, config: Config, *, seconds: float = SECONDS) -> int:
    """Send new entries to every configured receiver, and return the number of messages.

    Args:
        seconds: After so long no further batch is begun.

    Raises:
        BackupTrayError: The log cannot be read.
    """
    receivers = config.audit.forward
    file = places.state / FILE
    if not receivers or not places.audit_db.exists():
        return 0
    with alone(file) as mine:
        if not mine:
            return 0
        memory, until = Memory(places, file, Action.FORWARD_FAILED), clock.monotonic() + seconds
        memory.only(receivers)
        with AuditLog.read(places.audit_db) as log:
            sent = sum(_serve(log, memory, name, until) for name in receivers)
        memory.save()
    return sent


def waiting(places: Places, config: Config) -> dict[str, int]:
    """Return how many entries each configured receiver does not have yet; nothing is sent."""
    memory = Memory(places, places.state / FILE, Action.FORWARD_FAILED)
    with AuditLog.read(places.audit_db) as log:
        size, _, _ = log.head()
        return {name: size - _next(log, memory.of(name), size) for name in config.audit.forward}


def _serve(log: AuditLog, memory: Memory, name: str, until: float) -> int:
    """Send one receiver its missing entries, in batches; return the number of messages."""
    size, _, _ = log.head()
    first, sent = _next(log, memory.of(name), size), 0
    if first >= size:
        return 0
    try:
        with Receiver(name) as receiver:
            while first < size and (not sent or clock.monotonic() < until):
                batch = log.entries(first, min(BATCH, size - first))
                if not batch:
                    break
                _send(receiver, batch)
                first, sent = batch[-1].seq + 1, sent + len(batch)
                memory.of(name).update(next=first, leaf=batch[-1].leaf.hex())
                memory.save()
    except OSError as error:
        memory.failed(name, error.strerror or str(error))
        return sent
    memory.worked(name)
    return sent


def _next(log: AuditLog, known: dict[str, object], size: int) -> int:
    """Return the first entry to send: behind the last one sent, if the log still holds just that."""
    first, leaf = known.get("next"), known.get("leaf")
    if isinstance(first, int) and 0 < first <= size:
        last = log.entries(first - 1, 1)
        # An entry that was pruned meanwhile cannot be compared; the next ones are there.
        if last and (last[0].seq != first - 1 or last[0].leaf.hex() == leaf):
            return first
    return max(0, size - FIRST)


def _send(receiver: Receiver, batch: Iterable[StoredEntry]) -> None:
    for entry in batch:
        data = entry.data
        fields = {"seq": entry.seq, "hash": entry.leaf.hex(), **{name: data.get(name) for name in FIELDS}}
        receiver.send(
            line(entry), data["severity"], fields, time_ms=clock.from_text(data["time"]), kind=str(data["action"])
        )
    receiver.confirm()


def line(entry: StoredEntry) -> str:
    """Return an entry in one readable line."""
    data = entry.data
    parts = [f"{data['action']}: {data['result']}"]
    parts += [f"{name} {data[name]}" for name in ("job", "engine", "kind", "run") if data.get(name) is not None]
    if data.get("errors"):
        parts.append(f"{data['errors']} errors")
    return ", ".join([*parts, f"by {data['actor']}", f"entry {entry.seq}"])
