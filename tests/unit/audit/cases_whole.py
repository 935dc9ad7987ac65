"""Manipulations of what lies beside the entries, of the log as a whole, and with the signing key."""

import shutil

from tests.unit.audit import attacks as by
from tests.unit.audit.attacks import change, cut, rewrite
from tests.unit.audit.cases import BLIND, DETAILS, ENTRIES, SCHEMA, Act, Case, always, file, sql, steps
from tests.unit.audit.help import end, tamper
from tray.audit import spool
from tray.audit.entry import Action


def after_pruning(act: Act) -> Act:
    """The manipulation of a log whose closed segment was pruned before."""
    return steps(lambda s: by.prune_really(s.here), act)


BESIDE = [
    always("the head deleted", sql("DELETE FROM head"), "missing"),
    always("the head's size changed", sql("UPDATE head SET size = size - 1"), "index"),
    always("the signature deleted", sql("UPDATE head SET checkpoint = x''"), "signature missing"),
    always("the signature broken", lambda s: by.signed_size(s.here, -1), "signature"),
    always(
        "an older checkpoint in its place",
        lambda s: tamper(s.here, ("UPDATE head SET checkpoint = ?", (s.far,))),
        "added",
    ),
    always("an open run struck off the list", sql("DELETE FROM open_runs"), "index"),
    always("a run put on the list that never was", sql("INSERT INTO open_runs VALUES ('ghost', 3)"), "index"),
    always("a tile altered", sql("UPDATE tiles SET hash = zeroblob(32)"), "index"),
    always("a tile deleted", sql("DELETE FROM tiles"), "index"),
    always("a tile added", sql("INSERT INTO tiles VALUES (0, 7, zeroblob(32))"), "index"),
    always(
        "a segment's checkpoint altered",
        lambda s: tamper(s.here, ("UPDATE segments SET checkpoint = ?", (s.far,))),
        "rewritten",
    ),
    always("a segment's checkpoint without signature", sql("UPDATE segments SET checkpoint = x'00'"), "signature"),
    always("a segment struck off the list", sql("DELETE FROM segments"), "missing"),
    always("a segment's bounds moved", sql("UPDATE segments SET first = 1"), "missing"),
    always("a segment dropped as if it were pruned", lambda s: by.prune_by_hand(s.here), "missing"),
    always("the beginning of the log moved", sql("UPDATE base SET start = 256"), "index"),
    always("a genuine pruning, then an entry altered", after_pruning(lambda s: by.edited(s.here, 300)), "altered"),
    always(
        "a genuine pruning, then more entries deleted",
        after_pruning(sql("DELETE FROM entries WHERE seq < 260")),
        "missing",
    ),
    always(
        "a genuine pruning, then another history before it",
        after_pruning(sql("UPDATE base SET frontier = zeroblob(32)")),
        "rewritten",
    ),
    always(
        "a genuine pruning, then what the entry about it says erased",
        after_pruning(sql("DELETE FROM bodies WHERE seq >= 300")),
        "key",
    ),
    Case("`audit.pub` deleted", lambda s: file("audit.pub")(s).unlink(), "inconclusive", "intact", "intact"),
    always("another key in `audit.pub`", lambda s: file("audit.pub")(s).write_text(f"{by.STRANGER}\n"), "key unknown"),
    Case(
        "the copy beside the configuration deleted",
        lambda s: shutil.rmtree(s.here.baselines),
        "inconclusive",
        "inconclusive",
        "intact",
    ),
    Case(
        "the copy beside the configuration altered",
        lambda s: by.resign_copy(s.here, s.far.replace(b"\n", b"\n9", 1)),
        "inconclusive",
        "inconclusive",
        "intact",
    ),
]

ROLLBACK = [
    Case(
        "the write-ahead log deleted, and with it the newest records",
        steps(lambda s: by.with_wal(s.here), lambda s: file("audit.db-wal")(s).unlink()),
        "inconclusive",
        "rolled back",
        "intact",
    ),
    Case(
        "noise in the write-ahead log",
        steps(lambda s: by.with_wal(s.here), lambda s: file("audit.db-wal")(s).write_bytes(b"noise" * 999)),
        "inconclusive",
        "rolled back",
        "intact",
    ),
    Case(
        "an older database put back",
        lambda s: by.put_back(s.older / "state", s.here.state, "audit.db"),
        "inconclusive",
        "rolled back",
        "rolled back",
    ),
    Case(
        "an older database put back, but newer than the far checkpoint",
        lambda s: by.put_back(s.newer / "state", s.here.state, "audit.db"),
        "inconclusive",
        "rolled back",
        "intact",
    ),
    Case(
        "the same, noticed by what the last check left",
        lambda s: by.put_back(s.newer / "state", s.here.state, "audit.db"),
        "rolled back",
        "rolled back",
        "rolled back",
        "start-up",
    ),
    Case(
        "an older database put back, then the program goes on",
        steps(lambda s: by.put_back(s.older / "state", s.here.state, "audit.db"), lambda s: by.append_one(s.here)),
        "inconclusive",
        "rolled back",
        "rolled back",
    ),
    Case(
        "the whole older folder put back",
        lambda s: by.put_back(s.older, s.home, "state"),
        "inconclusive",
        "rolled back",
        "rolled back",
    ),
    Case(
        "the older folder and the older configuration put back",
        lambda s: by.put_back(s.older, s.home, "state", "config"),
        "inconclusive",
        "intact",
        "rolled back",
    ),
    Case(
        "the same, but newer than the far checkpoint",
        lambda s: by.put_back(s.newer, s.home, "state", "config"),
        "inconclusive",
        "intact",
        "intact",
    ),
]

REPLACED = [
    Case("another installation's log, keys and all", by.another_installation, "inconclusive", "replaced", "replaced"),
    Case(
        "the log deleted, and begun anew by the program",
        lambda s: by.begun_anew(s.here, traces=True),
        "inconclusive",
        "replaced",
        "replaced",
    ),
    Case(
        "log and keys deleted, and begun anew",
        lambda s: by.begun_anew(s.here, traces=False),
        "inconclusive",
        "replaced",
        "replaced",
    ),
    Case(
        "all rewritten and signed with a key of one's own, which takes the old one's place",
        lambda s: by.everything_anew(s.here),
        "inconclusive",
        "key unknown",
        "key unknown",
    ),
    Case(
        "the key deleted; the program makes a new one and says so",
        lambda s: by.lost_key(s.here),
        "inconclusive",
        "intact",
        "inconclusive",
    ),
    Case(
        "an older state, from which another history goes on under a key of one's own",
        by.forged_takeover,
        "inconclusive",
        "rolled back",
        "inconclusive",
    ),
]

KEY = [
    Case(
        "an entry altered, all mended and signed",
        lambda s: rewrite(s.here, change(100, job="forged"), seed=s.seed),
        "rewritten",
        "rewritten",
        "rewritten",
    ),
    Case(
        "the same, and the closed segment signed anew",
        lambda s: rewrite(s.here, change(100, job="forged"), seed=s.seed, segment=True),
        "inconclusive",
        "rewritten",
        "rewritten",
    ),
    Case(
        "the same, and the copy beside the configuration too",
        lambda s: by.resign_copy(s.here, rewrite(s.here, change(100, job="forged"), seed=s.seed, segment=True)),
        "inconclusive",
        "intact",
        "rewritten",
    ),
    Case(
        "an entry altered that is newer than the far checkpoint",
        lambda s: rewrite(s.here, change(300, job="forged"), seed=s.seed),
        "inconclusive",
        "rewritten",
        "intact",
    ),
    Case(
        "the same, and the copy beside the configuration too",
        lambda s: by.resign_copy(s.here, rewrite(s.here, change(300, job="forged"), seed=s.seed)),
        "inconclusive",
        "intact",
        "intact",
    ),
    Case(
        "the newest entries cut off and signed",
        lambda s: rewrite(s.here, cut(311), seed=s.seed),
        "inconclusive",
        "rolled back",
        "intact",
    ),
    Case(
        "a forged entry appended and signed",
        lambda s: by.append_forged(s.here, seed=s.seed),
        "inconclusive",
        "intact",
        "intact",
    ),
    always("an entry rewritten from before the key was changed, with the new key", by.after_rotation, "key"),
]

STANDING = [
    always(
        "an entry altered, and the last result edited to say intact",
        steps(lambda s: by.edited(s.here, 300), lambda s: by.standing_says(s.here, result="intact", breach=False)),
        "altered",
        "start-up",
    ),
    always(
        "the newest entry altered, and the point of the last check moved behind it",
        steps(lambda s: by.append_one(s.here), lambda s: by.edited(s.here, by.SIZE), lambda s: by.point_moved(s.here)),
        "altered",
        "start-up",
    ),
    always(
        "the newest entry altered, and the file about the last check deleted",
        steps(
            lambda s: by.append_one(s.here),
            lambda s: by.edited(s.here, by.SIZE),
            lambda s: s.here.audit_standing.unlink(),
        ),
        "altered",
        "start-up",
    ),
    Case(
        "an old entry altered: the check at start-up looks at what is new",
        lambda s: by.edited(s.here, 100),
        "inconclusive",
        "intact",
        "intact",
        "start-up",
    ),
]

WAITING = [
    always(
        "details deleted, and a forged waiting record says that they were erased",
        steps(
            lambda s: by.waiting_forgery(s.here, Action.AUDIT_REDACTED, {"entry": 101}),
            sql("DELETE FROM bodies WHERE seq = 101"),
        ),
        "body",
    ),
]

NEVER = [
    Case(
        "a waiting record deleted before it was appended",
        steps(
            lambda s: spool.keep(s.here, [end("lost")]),
            lambda s: shutil.rmtree(s.here.spools[0]),
            lambda s: by.append_one(s.here),
        ),
        "inconclusive",
        "intact",
        "intact",
    ),
    Case(
        "a waiting record edited before it was appended",
        steps(
            lambda s: spool.keep(s.here, [end("lost")]),
            lambda s: by.edit_waiting(s.here),
            lambda s: by.append_one(s.here),
        ),
        "inconclusive",
        "intact",
        "intact",
    ),
    Case("a backup that was not seen, so that it was never recorded", by.nothing, "inconclusive", "intact", "intact"),
]

GROUPS = {
    "Blind, in the file": BLIND,
    "Entries, without the key": ENTRIES,
    "Details, without the key": DETAILS,
    "Schema and indexes": SCHEMA,
    "What lies beside the entries": BESIDE,
    "Rollback": ROLLBACK,
    "Replaced as a whole": REPLACED,
    "With the signing key": KEY,
    "The file about the last check": STANDING,
    "Waiting records": WAITING,
    "What no verification can see": NEVER,
}
CASES = [case for cases in GROUPS.values() for case in cases]
