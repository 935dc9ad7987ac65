"""How fast secrets are hidden, and that twice the text takes twice the time: an attacker may choose the text. Prints a table.

Each unit is repeated to a text of 256 KiB, 512 KiB and 1 MiB; the best of three rounds of CPU time counts. Linear
time gives ratios near 2 and 4, quadratic time near 4 and 16. The last row is about commands: learning from them and showing them.
"""

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.unit.core.redact_spellings import ENGINES, HARMLESS, OTHERS, SHELL, lines
from tray.core.redact import Redactor

UNITS = {
    "ordinary words": "hello world ",
    "paths": "/home/me/file.txt, ",
    "restic's JSON": '{"message_type":"status","percent_done":0.42,"files_done":300,"current_files":["/home/me/a"]}\n',
    "one long word": "a",
    "@x://y:x://y:": "x://y:",
    "://a:b@": "://a:b@",
    "a:b@c": "a:b@c ",
    "token: v": "token: v ",
    "pass=": "pass=",
    '"password":': '"password":',
    "--password": "--password ",
    "Bearer": "Bearer ",
    "aB3aB3": "aB3",
    "private keys": "-----BEGIN PRIVATE KEY-----",
    "backslashes": '"password":"\\\\',
}
MIB = 1 << 20


def main() -> None:
    """Measure and print."""
    redactor = Redactor(
        ["restic", "-r", "rest:https://me:secret1@host/", "backup", "/x"], {"RESTIC_PASSWORD": "correct horse"}
    )
    print(f"{'text':<24}{'ms per MiB':>12}{'ratio 1:2':>12}{'ratio 1:4':>12}")
    for name, unit in UNITS.items():
        text = "@" + unit * (MIB // len(unit))
        quarter, half, whole = (
            best(lambda part=part: redactor.text(part)) for part in (text[: MIB // 4], text[: MIB // 2], text)
        )
        print(f"{name:<24}{whole * 1000:>12.1f}{half / quarter:>12.2f}{whole / quarter:>12.2f}")
    commands = [shlex.split(line) for table in (ENGINES, OTHERS, SHELL, HARMLESS) for line in lines(table)]
    took = best(lambda: [Redactor(argv, {}).argv(argv) for argv in commands])
    print(f"\n{len(commands)} commands: {took / len(commands) * 1e6:.0f} µs each to learn from and to show")


def best(work: Callable[[], object]) -> float:
    """Return the CPU time of *work*, the best of three rounds."""
    rounds = []
    for _ in range(3):
        began = time.process_time()
        work()
        rounds.append(time.process_time() - began)
    return min(rounds)


if __name__ == "__main__":
    main()
