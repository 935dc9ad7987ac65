"""`backup-tray audit checkpoint`."""

import sys
from argparse import ArgumentParser, Namespace

from tray.errors import AuditUnavailableError
from tray.paths import places


def register(parser: ArgumentParser) -> None:
    """There are no arguments."""


def run(args: Namespace) -> int:  # noqa: ARG001 - all parts take the arguments
    """Print the newest signed checkpoint."""
    from tray.audit.store import AuditLog

    with AuditLog.read(places().audit_db) as log:
        _, _, note = log.head()
    if not note:
        raise AuditUnavailableError("The log holds no signed checkpoint.", "Look closer: `backup-tray audit verify`.")
    sys.stdout.buffer.write(note)
    sys.stdout.flush()
    return 0
