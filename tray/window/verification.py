"""Check whether the audit log can be trusted: one entry, or all of it; and acknowledge a breach.

`check` only looks; `verify` and `acknowledge` are on record, because a person asked for them.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from tray import config, wording
from tray.audit import checkpoint, keys, proof
from tray.audit.checkpoint import VerifierKey
from tray.audit.merkle import leaf_hash
from tray.audit.proof import Proof, root_of
from tray.audit.verify.verdict import Verdict
from tray.baselines import all_copies, recorded_check
from tray.core.errors import AuditUnavailableError, BackupTrayError, ProofError, UsageError
from tray.core.paths import Places
from tray.core.redact import Redactor
from tray.report import of_run
from tray.status import past_runs

LONG_LOG: Final = 100_000
"""A log with more entries is not read as a whole for a look at one report: that takes many seconds."""

RESULTS: Final = {
    "intact": ("ok", "Intact"),
    "tampered": ("tampered", "Tampered"),
    "inconclusive": ("unknown", "Inconclusive"),
}


def check(places: Places, entry: int) -> dict[str, Any]:
    """Return whether the log, and with it *entry*, is as it was written; looks only, records nothing.

    Of a log that is too long to wait for, only *entry* is proven to be part of the tree that was signed and that baselines hold.
    """
    with past_runs.reading(places) as log:
        size = 0 if log is None else log.head()[0]
    return proven(places, entry) if size > LONG_LOG else checked(of_run.verified(places), entry)


def proven(places: Places, entry: int) -> dict[str, Any]:
    """Return whether *entry* is part of the tree that was signed and that baselines hold; takes milliseconds in any log.

    Raises:
        BackupTrayError: The log cannot be read.
    """
    notes = all_copies.notes(places, configured(places))
    trusted = [*keys.pins(places.audit_key), *all_copies.pinned(places)]
    try:
        built = proof.build(places.audit_db, entry, details=True)
        signed = built.check(trusted)
        holding = _holding(places, built, notes, trusted)
    except (AuditUnavailableError, ProofError) as error:
        if isinstance(error, AuditUnavailableError) and "not in the tree" not in error.why:
            raise
        return {"kind": "tampered", "word": "Tampered", "text": wording.escape(error.why)}
    text = f"Its hash leads to the signed root of {entries_of(signed.size)}"
    rest = "The other entries were not read: Verify now, on the page Audit log, reads them all."
    if not holding:
        return {
            "kind": "unknown",
            "word": "Inconclusive",
            "text": f"{text}, but no baseline that covers it was found. {rest}",
        }
    held = "the baseline" if holding == 1 else f"each of {holding} baselines"
    text = f"Unchanged since it was written. {text}, and to that of {held} that cover{'s' if holding == 1 else ''} it. {rest}"
    return {"kind": "ok", "word": "Verified", "text": text}


def _holding(places: Places, built: Proof, notes: Mapping[str, bytes], trusted: Sequence[VerifierKey]) -> int:
    """Return how many baselines hold the entry of a proof.

    Raises:
        ProofError: One of them saw another entry there.
    """
    holding, leaf = 0, leaf_hash(built.entry)
    origin = checkpoint.parse(built.note).origin
    with past_runs.reading(places) as log:
        for name, note in notes.items():
            held = checkpoint.parse(note)
            if log is None or held.origin != origin or not any(key.verifies(note) for key in trusted):
                continue
            if not built.index < held.size <= log.head()[0]:
                continue
            if root_of(leaf, built.index, held.size, log.inclusion(built.index, held.size)) != held.root:
                raise ProofError(f"The baseline {name} saw another log than this one.")
            holding += 1
    return holding


def checked(verdict: Verdict, entry: int) -> dict[str, Any]:
    """Return the result of a verification of the whole log, as it concerns *entry*."""
    shown = _shown(verdict)
    if shown["kind"] == "ok":
        shown |= {
            "word": "Verified",
            "text": f"Unchanged since it was written, part of the log of {entries_of(verdict.entries)}.",
        }
    elif verdict.first_bad is not None and verdict.first_bad > entry:
        shown["text"] += f" This entry stands before the break at entry {wording.count(verdict.first_bad)}."
    return shown


def verify(places: Places, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Verify the whole log against every baseline that is found, record that it was done, and return the result.

    Raises:
        BackupTrayError: It could not be checked.
    """
    problems: list[str] = []
    verdict = recorded_check.check(places, configured(places), progress=progress, problems=problems)
    return _shown(verdict) | {"problems": [wording.escape(text) for text in problems]}


def _shown(verdict: Verdict) -> dict[str, Any]:
    kind, word = RESULTS.get(str(verdict.result), ("unknown", wording.escape(str(verdict.result))))
    text = "" if verdict.result == "tampered" else f"{entries_of(verdict.entries)} read."
    if verdict.first_bad is not None:
        text += f" The first that is not as it was written is entry {wording.count(verdict.first_bad)}"
        text += f" ({wording.escape(str(verdict.kind))})." if verdict.kind else "."
    if verdict.why:
        text += f" {wording.escape(verdict.why)}"
    return {
        "kind": kind,
        "word": word,
        "text": text.strip(),
        "baselines": [wording.escape(name) for name in verdict.baselines],
    }


def acknowledge(places: Places, reason: str) -> None:
    """Record that the user has seen the breach, and the reason that they found.

    Raises:
        UsageError: There is no reason.
        NoBreachError: There is nothing to acknowledge.
    """
    if not reason.strip():
        raise UsageError(
            "A breach is acknowledged with a reason.",
            why="People who read the log later must know the result of your search.",
            next="For example: restored from the backup of Monday.",
        )
    recorded_check.acknowledge(places, Redactor((), {}).text(reason.strip()))


def configured(places: Places) -> Any:
    """Return the configuration, None where it is broken: then only the baselines beside it are known."""
    with suppress(BackupTrayError):
        return config.load(places)
    return None


def entries_of(number: int) -> str:
    """Return "1 entry" or "1,204 entries"."""
    return wording.plural(number, "entry").replace("entrys", "entries")
