"""Duty: close the runs whose wrapper died, and append the records that wait in a spool."""

from tray.audit import spool
from tray.housekeeping.rounds import Round
from tray.recording import close_lost


def do(this: Round) -> None:
    """Put on record what nobody else will.

    Raises:
        AuditUnavailableError: The log takes nothing now; the records go on waiting.
    """
    close_lost.close(this.places)
    spool.drain(this.places)
