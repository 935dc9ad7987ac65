"""`backup-tray audit PART`: one module for each part."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from importlib import import_module

from tray.cli import main

PARTS = {
    "verify": "check the whole log: 0 intact, 1 tampered, 2 could not check, 3 inconclusive",
    "show": "print entries",
    "checkpoint": "print the signed size and fingerprint of the log, to be kept elsewhere",
    "key": "show the log's name and public key, or change the key",
    "acknowledge": "end the alarm about a breach, with a reason that is recorded",
    "export": "write the log into a folder that other tools can verify (C2SP tlog-tiles)",
    "proof": "write one entry with the proof that it is in the log (C2SP tlog-proof)",
    "salvage": "save what can still be read of a damaged log: 0 all of it, 1 not all, 2 nothing",
    "rotate": "close the current segment of the log, so that it can be pruned later",
    "prune": "remove the oldest closed segments; the rest still verifies",
    "redact": "erase the details of one entry, with a reason; the log still verifies",
}
"""Every part and its one line of help; `tray.cli.audit.<part>` has `register(parser)` and `run(args) -> int`."""

EXAMPLES = (
    "backup-tray audit verify",
    "backup-tray audit show --since yesterday",
    "backup-tray audit checkpoint > /media/stick/checkpoint",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments of every part."""
    parts = parser.add_subparsers(dest="what", required=True, metavar="PART")
    for name, words in PARTS.items():
        module = import_module(f"{__name__}.{name}")
        part = parts.add_parser(
            name,
            help=words,
            description=f"{words[0].upper()}{words[1:]}.",
            epilog=main.examples(module),
            formatter_class=RawDescriptionHelpFormatter,
        )
        module.register(part)
        part.set_defaults(act=module.run)


def run(args: Namespace) -> int:
    """Do what was asked."""
    return int(args.act(args))
