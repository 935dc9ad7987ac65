"""pg_dump for Backup Tray: the current table, the warnings, and the outcome of the dump.

With `--verbose` pg_dump reports its steps on stderr ('pg_dump: dumping contents of table "public.orders"'). We add the flag where
it is missing, and then keep those lines from the caller, who did not ask for them. The dump itself goes to the caller's stdout or
file as ever; we do not read it. Exit code: 0 or 1; warnings are on stderr.
"""

import re

from tray.core.dataclass import replace
from tray.core.model import Outcome, Phase
from tray.engines.base import API, STOP, Exit, Fed, Plan, Problem, Progress, Result, Stream
from tray.engines.findings import conclude_by_code
from tray.engines.text import plain

TABLE = re.compile(r'pg_dump: dumping contents of table "(.+)"')
CHATTER = re.compile(r"pg_dump: (?!error|warning|detail|hint)")


class PgDump:
    """The engine: recognises a command line and plans it."""

    api = API
    name = "pg_dump"
    stop = STOP

    def recognises(self, program):
        """Whether *program* is pg_dump."""
        return program == "pg_dump"

    def plan(self, argv, at, environ):
        """Return the command to start, with the facts from its command line."""
        ours = not {"-v", "--verbose"} & set(argv)
        database = argv[-1] if len(argv) > at + 1 and not argv[-1].startswith("-") else environ.get("PGDATABASE", "")
        argv = (*argv[: at + 1], "--verbose", *argv[at + 1 :]) if ours else tuple(argv)
        return Plan(argv=argv, kind="backup", env={}, sources=(database,) if database else (), ours=ours)

    def session(self, plan):
        """Begin to understand one run."""
        return Session(plan)

    def unlock(self, plan):
        """Return no command: pg_dump leaves no lock behind."""


class Session:
    """One run: reads its lines, and concludes its outcome."""

    def __init__(self, plan):
        self.ours = plan.ours
        self.tables, self.warnings, self.last = 0, [], ""

    def feed(self, line, stream):
        """Return the events of one line of output, and the text that the caller sees of it."""
        text = plain(line)
        if stream is not Stream.ERR or not text.startswith("pg_dump: "):
            return Fed(relay=line)
        relay = b"" if self.ours and CHATTER.match(text) else line
        if match := TABLE.match(text):
            self.tables += 1
            return Fed((Progress(Phase.COPYING, files_done=self.tables - 1, current=match[1]),), relay)
        if text.startswith("pg_dump: warning: "):
            self.warnings.append(Problem(text[18:]))
            return Fed((self.warnings[-1],), relay)
        self.last = text if text.startswith("pg_dump: error: ") else self.last
        return Fed(relay=relay)

    def conclude(self, exit: Exit):
        """Return the outcome of the run, by its exit code and its last words."""
        outcome, reason = conclude_by_code("pg_dump", exit, last=self.last)
        if outcome is Outcome.SUCCEEDED and self.warnings:
            outcome, reason = Outcome.WARNING, f"The dump is made, but pg_dump warned: {self.warnings[0].message}"
        elif outcome is Outcome.SUCCEEDED:
            reason = f"{self.tables} tables were dumped."
        result = Result(outcome, reason, files=self.tables)
        return replace(result, errors=len(self.warnings), problems=tuple(self.warnings[:100]))


ENGINE = PgDump()
