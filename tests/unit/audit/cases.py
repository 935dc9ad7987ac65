"""Manipulations of file, entries, details and schema, and what a verification says of each."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.unit.audit import attacks as by
from tests.unit.audit.attacks import Scene, change, cut, rewrite
from tests.unit.audit.help import tamper
from tray.core.dataclass import dataclass

Act = Callable[[Scene], object]

UNCHECKED = "could not check"


@dataclass(frozen=True)
class Case:
    """A manipulation and what a verification says of it.

    Attributes:
        none: Without any baseline.
        near: With the copy that the program keeps beside the configuration.
        far: With a checkpoint that was carried away some time ago.
        how: "" for a full verification, "start-up" for one of what is new.
    """

    name: str
    act: Act
    none: str
    near: str
    far: str
    how: str = ""

    @property
    def caught(self) -> bool:
        """Whether any of the three notices it."""
        return {self.none, self.near, self.far} - {"inconclusive", "intact"} != set()


def always(name: str, act: Act, kind: str, how: str = "") -> Case:
    """A manipulation that needs no baseline to be caught."""
    return Case(name, act, kind, kind, kind, how)


def sql(*statements: str) -> Act:
    """Change the database, with triggers taken down and put back."""
    return lambda s: tamper(s.here, *statements)


def script(text: str) -> Act:
    """Change the database, and leave the triggers that are left."""
    return lambda s: by.by_sql(s.here, text)


def steps(*acts: Act) -> Act:
    """One after the other."""

    def act(scene: Scene) -> None:
        for one in acts:
            one(scene)

    return act


def file(name: str) -> Callable[[Scene], Path]:
    """A file of the state folder."""
    return lambda s: s.here.state / name


DB = file("audit.db")

BLIND = [
    always(
        "a letter of an entry changed in the file",
        lambda s: by.in_file(DB(s), b'"run":"a40"', b'"run":"a4O"'),
        "altered",
    ),
    always("noise written over pages of the file", lambda s: by.noise(DB(s), 10, 7), "damaged"),
    always("the file cut to half its length", lambda s: DB(s).write_bytes(DB(s).read_bytes()[:200_000]), UNCHECKED),
    always("the file emptied", lambda s: DB(s).write_bytes(b""), UNCHECKED),
    always("the file deleted", lambda s: DB(s).unlink(), UNCHECKED),
    always("the whole folder deleted", lambda s: shutil.rmtree(s.here.state), UNCHECKED),
    always("another file in its place", lambda s: DB(s).write_bytes(b"noise" * 9999), UNCHECKED),
    always("`user_version` raised", script("PRAGMA user_version = 99"), UNCHECKED),
    always("`user_version` lowered", script("PRAGMA user_version = 0"), UNCHECKED),
    always("`application_id` changed", script("PRAGMA application_id = 1"), UNCHECKED),
]

ENTRIES = [
    always("an entry altered", lambda s: by.edited(s.here, 100), "altered"),
    always(
        "a failure turned into a success",
        lambda s: by.edited(s.here, 300, b'"severity":"info"', b'"severity":"none"'),
        "altered",
    ),
    always("the last entry altered", lambda s: by.edited(s.here, len(by.rows_of(s.here)) - 1), "altered"),
    always("an entry stored as text", lambda s: by.set_entry(s.here, 100, by.raw_of(s.here, 100).decode()), "altered"),
    always("an entry in another spelling of JSON", lambda s: by.edited(s.here, 100, b'"v":1', b'"v": 1'), "altered"),
    always(
        "an entry deleted", sql("DELETE FROM bodies WHERE seq = 100", "DELETE FROM entries WHERE seq = 100"), "missing"
    ),
    always(
        "an entry deleted, the rest moved up",
        lambda s: tamper(
            s.here,
            "PRAGMA ignore_check_constraints = ON",
            "DELETE FROM bodies WHERE seq = 100",
            "DELETE FROM entries WHERE seq = 100",
            *by.moved(s.here, -1, 101),
        ),
        "missing",
    ),
    always(
        "the first entries deleted",
        sql("DELETE FROM bodies WHERE seq < 50", "DELETE FROM entries WHERE seq < 50"),
        "missing",
    ),
    always("two neighbours swapped", lambda s: by.swap(s.here, 100, 101), "reordered"),
    always("two distant entries swapped", lambda s: by.swap(s.here, 40, 260), "reordered"),
    always("a forged entry put in between", lambda s: by.insert(s.here, 100), "inserted"),
    always("a forged entry below number 0", lambda s: by.below_zero(s.here), "inserted"),
    always(
        "the newest entries deleted",
        sql("DELETE FROM bodies WHERE seq >= 300", "DELETE FROM entries WHERE seq >= 300"),
        "truncated",
    ),
    always("the newest entries deleted, the head mended", lambda s: rewrite(s.here, cut(300)), "truncated"),
    always("a forged entry appended", lambda s: by.append_forged(s.here), "added"),
    always("a forged entry appended, the head mended", lambda s: by.append_forged(s.here, head=True), "added"),
    always("an entry altered, all hashes mended", lambda s: rewrite(s.here, change(100, job="forged")), "rewritten"),
    always(
        "the same, then the program goes on",
        steps(lambda s: rewrite(s.here, change(100, job="forged")), lambda s: by.append_one(s.here)),
        "rewritten",
    ),
    always(
        "the same, signed with a key of one's own",
        lambda s: rewrite(s.here, change(100, job="forged"), seed=bytes(32)),
        "key unknown",
    ),
    always(
        "the same, and the key deleted, as if it were lost",
        steps(lambda s: rewrite(s.here, change(100, job="forged")), lambda s: by.lost_key(s.here)),
        "key",
    ),
]

DETAILS = [
    always("details altered", sql("UPDATE bodies SET body = CAST('{}' AS BLOB) WHERE seq = 101"), "body"),
    always("details deleted", sql("DELETE FROM bodies WHERE seq = 101"), "body"),
    always(
        "details of another entry",
        sql("UPDATE bodies SET (salt, body) = (SELECT salt, body FROM bodies WHERE seq = 103) WHERE seq = 101"),
        "body",
    ),
    always(
        "details that begin later, the rest passed off as salt",
        sql("UPDATE bodies SET salt = salt || substr(body, 1, 1), body = substr(body, 2) WHERE seq = 1"),
        "body",
    ),
    always(
        "something hidden behind compressed details",
        sql("UPDATE bodies SET body = body || x'00' WHERE seq = 101"),
        "body",
    ),
    always(
        "details put under an entry that has none",
        sql("INSERT INTO bodies SELECT 100, salt, body FROM bodies WHERE seq = 101"),
        "body",
    ),
    always(
        "details beyond the end", sql("INSERT INTO bodies SELECT 9999, salt, body FROM bodies WHERE seq = 101"), "body"
    ),
    always("the public key erased", sql("DELETE FROM bodies WHERE seq = 1"), "body"),
]

SCHEMA = [
    always("a trigger dropped", script("DROP TRIGGER no_delete"), "schema"),
    always(
        "a trigger replaced by a weaker one",
        script("DROP TRIGGER at_the_end; CREATE TRIGGER at_the_end BEFORE INSERT ON entries BEGIN SELECT 1; END"),
        "schema",
    ),
    always(
        "a trigger added that deletes",
        script("CREATE TRIGGER more AFTER INSERT ON entries BEGIN DELETE FROM bodies; END"),
        "schema",
    ),
    always(
        "a trigger hidden under a name like SQLite's own",
        script("CREATE TRIGGER sqlite2 AFTER INSERT ON entries BEGIN SELECT 1; END"),
        "schema",
    ),
    always("an index dropped", script("DROP INDEX run_end"), "schema"),
    always("a column added", script("ALTER TABLE entries ADD COLUMN note TEXT"), "schema"),
    always("a table added", script("CREATE TABLE more (x)"), "schema"),
    always("a view added", script("CREATE VIEW entries2 AS SELECT * FROM entries"), "schema"),
    always(
        "a column's meaning changed in the schema itself",
        script(
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '$.job', '$.run') WHERE name = 'entries'"
        ),
        "schema",
    ),
    always(
        "an index edited in the file, so that a search finds another outcome",
        lambda s: by.in_file(DB(s), b'"restic","home","backup","succeeded"', b'"restic","home","backup","cancelled"'),
        "index",
    ),
]
