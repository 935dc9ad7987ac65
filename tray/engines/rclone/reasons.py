"""Why an rclone run failed, in plain words with a next step."""

import re
import shlex

from tray.engines import findings
from tray.engines.access import ACCESS
from tray.engines.base import Exit
from tray.engines.findings import Findings, why_failed

NO_SPACE = re.compile(
    r"(?i)no space left on device|disk quota exceeded|storage ?quota ?(?:has been )?exceeded|insufficient[_ ]s(?:pace|torage)"
    r"|too big for remaining disk space|disk is full|over quota|not enough (?:free )?space"
)
CAUSES = findings.causes(
    (
        (
            NO_SPACE.pattern,
            "There is no space left where the copy goes; free some space there, then run the backup again.",
        ),
        *ACCESS,
        (
            "error reading source root directory: directory not found|Source doesn't exist",
            "The source does not exist, so nothing was copied; check its path, and whether its disk is mounted.",
        ),
        (
            "didn't find section in config file",
            "rclone knows no remote of that name; see `rclone listremotes`, and which configuration it used.",
        ),
        (
            "prior lock file found: (.+)",
            "The lock of another `bisync` of these ends is there: {1}; wait until that ends, then run it again.",
        ),
        (
            "cannot find prior Path1 or Path2 listings|Must run --resync",
            "`bisync` needs to begin anew; check both ends, then run it once with `--resync`.",
        ),
        (
            "(?i)unable to decrypt configuration|couldn't decrypt configuration|wrong password",
            "The password of rclone's configuration is wrong or missing; check RCLONE_CONFIG_PASS or the `--password-command`.",
        ),
    )
)
_LOCK = re.compile(r"prior lock file found: (.+)")
_CODES = {
    2: "rclone could not do what was asked of it",
    3: "A folder was not found",
    4: "A file was not found",
    5: "The errors went on, however often rclone tried",
    6: "An error came that trying again does not help",
    7: "An error came that stops everything",
    8: "The limit of `--max-transfer` was reached before anything was copied",
    10: "The time of `--max-duration` was up before anything was copied",
}


def reason(now: Findings, code: int) -> str:
    """Return one sentence why a run failed, with the next step where the cause is known."""
    if known := findings.reason(now.complaint, CAUSES):
        return known
    first = next(iter(now.complaints), "")
    if said := _CODES.get(code):
        return f"{said} (exit code {code})" + (f": {first[:300]}" if first else ".")
    return why_failed("rclone", Exit(code), first)


def advice(complaint: str) -> str | None:
    """Return how to remove the lock that a killed `bisync` left, if it was in the way."""
    found = _LOCK.search(complaint)
    if found is None:
        return None
    return (
        f"If no other bisync of these two ends is running, remove its lock: `rclone deletefile {shlex.quote(found[1])}`"
    )
