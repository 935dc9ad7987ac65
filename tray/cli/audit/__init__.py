"""`backup-tray audit PART`: one module for each part."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from importlib import import_module

from tray.cli import main

PARTS = {
    "verify": "check the whole log: 0 intact, 1 tampered, 2 could not check, 3 inconclusive",
    "show": "print entries",
    "checkpoint": "print the newest signed checkpoint, to be kept elsewhere as a baseline",
    "key": "show the log's name and public key, or change the key",
    "acknowledge": "say why a breach is no cause for alarm any more; that is an entry",
    "export": "write the log into a folder that other tools can verify (C2SP tlog-tiles)",
    "proof": "write one entry with all that proves it (C2SP tlog-proof)",
    "salvage": "write down what can still be read of a damaged log: 0 all of it, 1 not all, 2 nothing",
    "rotate": "close a segment of the log: all that can be closed",
    "prune": "forget closed segments that are old enough, so that the rest still proves itself",
    "redact": "erase the details of one entry, with a reason; the entry stays, and the log still verifies",
}
"""Every part and its one line of help; `tray.cli.audit.<part>` has `register(parser)` and `run(args) -> int`."""

EXAMPLES = (
    "backup-tray audit verify",
    "backup-tray audit show --since yesterday",
    "backup-tray audit checkpoint > /media/stick/checkpoint",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments of every part."""
    parts = parser.add_subparsers(dest="what", required=True, metavar="|".join(PARTS))
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
