"""Duty: close the log's segments at the length that the configuration asks for."""

from tray.housekeeping.rounds import Round


def do(this: Round) -> None:
    """Close what is long enough; most rounds only look.

    Raises:
        ConfigError: Nobody knows how long.
        AuditUnavailableError: The log cannot be read or written now.
    """
    from tray.audit import segments
    from tray.audit.store import AuditLog

    length = this.config.audit.segment
    with AuditLog.read(this.places.audit_db) as log:
        closed = segments.closed(log)
        open_from = closed[-1].size if closed else 0
        if log.head()[0] - open_from < length:
            return
    with AuditLog.open(this.places.audit_db, this.places.audit_key) as log:
        segments.rotate(log, length)
