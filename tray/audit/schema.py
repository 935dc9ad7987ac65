"""Define the SQL of the audit log. A verification compares the schema of a database with this text, so a changed one is a finding.

Columns and expressions that queries use are taken from the stored bytes: an index cannot disagree with what was hashed. The
triggers are a guard-rail against mistakes, not security: a person who can write the file can drop them, and `verify` notices it.
"""

APPLICATION_ID = 0x42545259  # "BTRY"
UNRELEASED_ID = 0x42545241
"""The application id of logs from before the first release, whose formats are not read any more."""

SCHEMA_VERSION = 1

_COLUMNS = "".join(
    f"""
    {name} TEXT GENERATED ALWAYS AS (json_extract(CAST(entry AS TEXT), '$.{name}')) VIRTUAL,"""
    for name in ("id", "time", "action", "result", "job", "run")
)

STARTED = "action = 'run.started'"
ENDED = "action IN ('run.finished', 'run.closed')"

FACET_KEYS = ("action", "engine", "job", "kind", "result", "severity", "source")
_PATHS = ", ".join(f"'$.{name}'" for name in FACET_KEYS)
FACET = f"json_extract(CAST(entry AS TEXT), {_PATHS})"
"""Everything that a search filters by, as one JSON array: one value to jump by. (SQLite seeks a row value of several expressions
by its first one only, and would walk through all entries of an action.) SQLite uses an index on expressions only if a query has
them in the very same words: build queries from these constants."""

MOMENT = "CAST(strftime('%s', substr(time, 1, 19)) AS INTEGER) * 1000 + CAST(substr(time, 21, 3) AS INTEGER)"
"""The time of an entry in milliseconds since 1970: 6 bytes in an index instead of 24, and in the same order."""

INDEXES = {
    "entry_id": ("id", None, True),
    "run_start": ("run", STARTED, True),
    "run_end": ("run", ENDED, True),
    "facet": (f"{FACET}, {MOMENT}", None, False),
    "at": (MOMENT, None, False),
}
"""Name: columns, condition, whether unique. `run_end` makes the first end of a run the only one."""

_REDACTED = """
    SELECT 1 FROM entries JOIN bodies ON bodies.seq = entries.seq
    WHERE entries.action = 'audit.redacted' AND json_extract(CAST(bodies.body AS TEXT), '$.entry') = OLD.seq"""

_PRUNED = """
    SELECT 1 FROM segments JOIN entries ON entries.action = 'audit.pruned' JOIN bodies ON bodies.seq = entries.seq
    WHERE segments.size = NEW.start AND json_extract(CAST(bodies.body AS TEXT), '$.start') = NEW.start"""
_START = "(SELECT start FROM base)"


def _index(name: str) -> str:
    columns, condition, unique = INDEXES[name]
    where = "" if condition is None else f" WHERE {condition}"
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name} ON entries ({columns}){where}"


def _forbid(name: str, when: str, message: str) -> str:
    return f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{message}'); END"


STATEMENTS = {
    "entries": f"""CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    entry BLOB NOT NULL CHECK (typeof(entry) = 'blob'),{_COLUMNS}
    CHECK (id IS NOT NULL AND seq IS json_extract(CAST(entry AS TEXT), '$.seq'))
)""",
    "bodies": """CREATE TABLE bodies (
    seq INTEGER PRIMARY KEY REFERENCES entries (seq),
    salt BLOB NOT NULL,
    body BLOB NOT NULL
)""",
    # All that the next append needs, in one row: the log's name, its size, the leaf hash of the last entry, the tree's frontier,
    # and the newest signed checkpoint.
    "head": """CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    log TEXT NOT NULL,
    size INTEGER NOT NULL,
    leaf BLOB NOT NULL,
    frontier BLOB NOT NULL,
    checkpoint BLOB NOT NULL
)""",
    # Runs that have a start and no end, so that a reader need not search a million entries for them.
    "open_runs": "CREATE TABLE open_runs (run TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID",
    # The root of every complete tile of 256 hashes (C2SP tlog-tiles): at level 0 of 256 entries, at level 1 of 256 such tiles. A
    # tile's hashes are thus the rows of the level below, or the leaf hashes of the entries. The append that completes a tile writes
    # it; pruning the entries keeps it.
    "tiles": """CREATE TABLE tiles (
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, number)
) WITHOUT ROWID""",
    # Closed parts of the log: the entries from number `first` up to `size`, when it was closed (ms), and the checkpoint of the
    # log that ended there.
    "segments": """CREATE TABLE segments (
    first INTEGER PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size > first),
    closed INTEGER NOT NULL,
    checkpoint BLOB NOT NULL
)""",
    # Where the log begins: everything before entry `start` was pruned. `leaf` is the hash of the last pruned entry, `frontier`
    # the tree over all of them; 32 zero bytes and nothing before the first pruning.
    "base": """CREATE TABLE base (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    start INTEGER NOT NULL,
    leaf BLOB NOT NULL,
    frontier BLOB NOT NULL
)""",
    **{name: _index(name) for name in INDEXES},
    "no_update": _forbid("no_update", "BEFORE UPDATE ON entries", "the audit log is append-only"),
    "no_delete": _forbid(
        "no_delete", f"BEFORE DELETE ON entries WHEN OLD.seq >= {_START}", "the audit log is append-only"
    ),
    "at_the_end": _forbid(
        "at_the_end",
        "BEFORE INSERT ON entries WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), -1) + 1 FROM entries)",
        "an entry is appended at the end",
    ),
    "no_body_update": _forbid("no_body_update", "BEFORE UPDATE ON bodies", "the audit log is append-only"),
    "no_body_delete": _forbid(
        "no_body_delete",
        f"BEFORE DELETE ON bodies WHEN OLD.seq >= {_START} AND NOT EXISTS ({_REDACTED})",
        "a body is erased only after audit.redacted",
    ),
    "no_tile_update": _forbid("no_tile_update", "BEFORE UPDATE ON tiles", "a complete tile never changes"),
    "no_tile_delete": _forbid("no_tile_delete", "BEFORE DELETE ON tiles", "a complete tile never changes"),
    "no_segment_update": _forbid("no_segment_update", "BEFORE UPDATE ON segments", "a segment is closed for good"),
    "no_segment_delete": _forbid("no_segment_delete", "BEFORE DELETE ON segments", "a segment is closed for good"),
    "base_moves_on": _forbid(
        "base_moves_on",
        f"BEFORE UPDATE ON base WHEN NEW.start <= OLD.start OR NOT EXISTS ({_PRUNED})",
        "only a closed segment is pruned, after audit.pruned",
    ),
    "no_base_delete": _forbid("no_base_delete", "BEFORE DELETE ON base", "the log begins somewhere"),
}
"""Every object of the database and the statement that makes it."""

FIRST_BASE = "INSERT INTO base (one, start, leaf, frontier) VALUES (1, 0, zeroblob(32), x'')"
"""A log from which nothing was pruned."""
