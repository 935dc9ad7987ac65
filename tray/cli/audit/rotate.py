"""`backup-tray audit rotate`."""

from argparse import ArgumentParser, Namespace

from tray import wording
from tray.core.paths import places

EXAMPLES = ("backup-tray audit rotate",)


def register(parser: ArgumentParser) -> None:
    """There are no arguments."""


def run(args: Namespace) -> int:  # noqa: ARG001 - all parts take the arguments
    """Close a segment of all that can be closed."""
    from tray.audit import segments
    from tray.audit.store import AuditLog
    from tray.audit.tiles import WIDTH

    here = places()
    AuditLog.read(here.audit_db).close()  # where there is no log, none is begun by closing a segment of it
    with AuditLog.open(here.audit_db, here.audit_key, copies=here.baselines) as log:
        closed = segments.rotate(log)
    for one in closed:
        print(f"Closed: entries {wording.count(one.first)} to {wording.count(one.size - 1)}.")
    if not closed:
        print(f"Nothing to close: fewer than {WIDTH} entries came since the last segment.")
    return 0
