"""`backup-tray` and `backup-tray tray`."""

from argparse import ArgumentParser, Namespace

EXAMPLES = (
    "backup-tray                      the icon in this session",
    "backup-tray status --watch       the same in a terminal",
)


def register(parser: ArgumentParser) -> None:
    """Declare the arguments: there are none."""


def run(_: Namespace) -> int:
    """Show the icon; with one there already, open its window."""
    from tray.icon import lean_imports

    lean_imports.load()
    from tray.core.paths import places
    from tray.icon.launch import main

    return main(places())
