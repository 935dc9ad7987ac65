"""Print the figures of the status for a monitoring system: `backup-tray metrics`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tray.cli import Command
from tray.cli.options import from_here
from tray.core.paths import places
from tray.metrics import openmetrics, textfile


def _register(parser: ArgumentParser) -> None:
    words = (
        "write them into a file for node-exporter's textfile collector; [metrics] in config.toml keeps one up to date"
    )
    parser.add_argument("--textfile", metavar="FILE", help=words)


def _metrics(args: Namespace) -> int:
    """Print the figures as OpenMetrics, or write them to a file."""
    if args.textfile is not None:
        textfile.write(places(), Path(from_here(args.textfile)))
    else:
        print(openmetrics.text(textfile.now(places())), end="")
    return 0


METRICS = Command(
    _register,
    _metrics,
    "backup-tray metrics                                            as OpenMetrics",
    "backup-tray metrics --textfile /var/lib/prometheus/node-exporter/backup-tray.prom",
)
