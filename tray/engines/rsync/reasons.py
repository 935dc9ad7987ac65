"""Why an rsync run failed, in plain words with a next step."""

from tray.engines import findings
from tray.engines.access import ACCESS
from tray.engines.base import Exit
from tray.engines.findings import why_failed
from tray.engines.rsync.messages import Seen

_CAUSES = findings.causes(
    (
        (
            "No space left on device|Disk quota exceeded",
            "There is no space left where the copy goes; free some space there, then run the backup again.",
        ),
        (
            "auth failed on module",
            "The rsync daemon refused the password; check RSYNC_PASSWORD or the `--password-file`.",
        ),
        ("Unknown module", "The rsync daemon has no module of that name; list them with `rsync HOST::`."),
        *ACCESS,
        (
            "command not found",
            "rsync was not found on the other side; install it there or name it with `--rsync-path`.",
        ),
    )
)
_CODES = {
    1: "rsync did not understand its command line",
    2: "The two sides speak different versions of rsync's protocol",
    3: "A source or the destination could not be opened",
    4: "One side does not support what was asked of it",
    5: "The other side refused to begin",
    6: "The daemon could not write its log",
    10: "The connection failed",
    11: "The destination could not be written, or a source not be read",
    12: "The connection broke, or the other side stopped",
    13: "rsync could not report what went wrong",
    14: "rsync's processes lost each other",
    15: "A part of rsync crashed",
    16: "A part of rsync was killed",
    19: "A part of rsync was stopped",
    21: "A part of rsync ended in a way that it did not understand",
    22: "There was not enough memory",
    23: "No file came over",
    25: "`--max-delete` stopped deletions, so the copy still holds files that should be gone",
    30: "Nothing came in the time that `--timeout` gives, or the time that was set for the copy was up",
    35: "The daemon did not answer in time",
    124: "The remote shell failed",
    125: "The remote shell was killed",
    126: "The remote shell could not be run",
    127: "rsync was not found on the other side, or the remote shell was not found",
    255: "The remote shell (ssh) failed",
}


def reason(seen: Seen, code: int) -> str:
    """Return one sentence why a run failed, with the next step where the cause is known."""
    found = seen.found
    if known := findings.reason(found.complaint, _CAUSES):
        return known
    if code == 23 and seen.missing:
        many = f" and {len(seen.missing) - 1} more" if len(seen.missing) > 1 else ""
        return (
            f"Nothing was copied: {seen.missing[0][:300]}{many} could not be found;"
            " check the path, and whether its disk is mounted."
        )
    said = _CODES.get(code)
    first = (
        found.complaints[0].removeprefix("rsync: ") if found.complaints else next((words for _, words in seen.said), "")
    )
    first = " ".join(first.split())  # one line, whatever was in it
    if said is None:
        return why_failed("rsync", Exit(code), first)
    return f"{said} (exit code {code})" + (f": {first[:300]}" if first else ".")
