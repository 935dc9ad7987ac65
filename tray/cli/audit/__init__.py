"""Look after the audit log: `backup-tray audit PART`. Each part is a `Command` of a module in this folder."""

from argparse import ArgumentParser

from tray.cli import Command
from tray.cli.audit import changes, export, identity, salvage, show, verify
from tray.cli.parser import add_parts, run_part

PARTS = {
    "verify": (verify.VERIFY, "check the whole log; exit code 0 intact, 1 tampered, 2 could not check, 3 inconclusive"),
    "show": (show.SHOW, "print entries"),
    "checkpoint": (identity.CHECKPOINT, "print the signed size and fingerprint of the log, to be kept elsewhere"),
    "key": (identity.KEY, "show the log's name and public key, or change the key"),
    "acknowledge": (changes.ACKNOWLEDGE, "end the alarm about a breach, with a reason that is recorded"),
    "export": (export.EXPORT, "write the log into a folder that other tools can verify (C2SP tlog-tiles)"),
    "proof": (export.PROOF, "write one entry with the proof that it is in the log (C2SP tlog-proof)"),
    "salvage": (
        salvage.SALVAGE,
        "save what can still be read of a damaged log; exit code 0 all of it, 1 not all, 2 nothing",
    ),
    "rotate": (changes.ROTATE, "close the current segment of the log, so that it can be pruned later"),
    "prune": (changes.PRUNE, "remove the oldest closed segments; the rest still verifies"),
    "redact": (changes.REDACT, "erase the details of one entry, with a reason; the log still verifies"),
}
"""Every part, and its one line of help."""


def _register(parser: ArgumentParser) -> None:
    """Declare the arguments of every part."""
    add_parts(parser, PARTS, required=True)


AUDIT = Command(
    _register,
    run_part,
    "backup-tray audit verify",
    "backup-tray audit show --since yesterday",
    "backup-tray audit checkpoint > /media/stick/checkpoint",
)
