"""The base of an engine that prints lines of text: an adapter names its options and its words, all else stands here.

`dar.py` is the example to copy. An adapter derives two classes: from `LineEngine` one that reads a command line, and from
`LineSession` one that reads a line and says what the run achieved.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tray.core.dataclass import dataclass
from tray.engines import arguments
from tray.engines.adapter import Adapter, apart_by, planned
from tray.engines.arguments import Arguments, Grammar
from tray.engines.base import Event, Exit, Fed, Plan, Result, Session, Stream
from tray.engines.causes import Causes
from tray.engines.findings import Findings, conclude, holds_nothing
from tray.engines.program import Inner, unwrap
from tray.engines.text import plain


@dataclass(frozen=True, slots=True)
class Call:
    """The meaning of one command line.

    Attributes:
        kind: backup, dry-run, restore, check, prune, or other; the output of any other command is not read.
        sources: Paths that are backed up, as given.
        repository: Place of the backup; None if it is not named.
        added: Flags of ours, where the output comes to us.
        place: Index in the command at which they are put; None: behind the program.
        pipes: Its stdout is the backup itself, and is left alone.
    """

    kind: str
    sources: Sequence[str] = ()
    repository: str | None = None
    added: Sequence[str] = ()
    place: int | None = None
    pipes: bool = False


class LineEngine(Adapter):
    """An engine whose output is lines of text.

    Attributes:
        grammar: How its options are read.
        choose: Options that make it another backup than one of the same sources to the same place.
        returns: Its updates end with a carriage return.
        writes: It is silent while it works, so its progress is the number of bytes that its process writes.
        runs: The class that reads a run.
    """

    grammar: Grammar
    choose: Sequence[str] = ()
    returns: bool = False
    writes: bool = False
    runs: "type[LineSession]"

    def call(self, options: Arguments, environ: Mapping[str, str]) -> Call:
        """Return the meaning of a command line; never raises."""
        raise NotImplementedError

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:
        """Plan the run."""
        inner, at = unwrap(argv, environ), self.program_at(argv, at)
        call = self.call(self.read(argv, at), inner.environ)
        reads = call.kind != "other" and inner.visible
        return planned(
            argv,
            environ,
            call.kind,
            repository=call.repository,
            sources=call.sources,
            added=call.added if reads else (),
            place=at + 1 if call.place is None else call.place,
            spool_stdout=reads and not call.pipes,
            returns=self.returns and call.kind != "other",
            writes=self.writes and call.kind == "backup" and inner.visible,
            apart=lambda shown: apart_by(self.read(shown, at), self.choose),
        )

    def session(self, plan: Plan) -> Session:
        """Begin to read one run."""
        return self.runs(plan, self.options(plan), unwrap(plan.argv, {}))

    def options(self, plan: Plan) -> Arguments:
        """Read the command line of a plan."""
        return self.read(plan.argv, self.program_at(plan.argv, unwrap(plan.argv, {}).at))

    def read(self, argv: Sequence[str], at: int) -> Arguments:
        """Read the command line whose program stands at index *at*."""
        return arguments.read(argv, at + 1, self.grammar)


class LineSession:
    """Reader of the lines of one run, which the caller sees unchanged.

    Attributes:
        name: The engine's name, for the reason of the result.
        causes: Why its runs fail.
        unproven: Why its exit code 0 proves no backup, as a sentence.
        others: Words for a run that is no backup and ended well, by its kind.
        nothing: Number of files up to which a backup holds none; 1 for an engine that counts the folder too.
    """

    name: str
    causes: Causes = ()
    unproven: str = ""
    others: Mapping[str, str] = MappingProxyType({"restore": "The files were restored"})
    nothing: int = 0

    def __init__(self, plan: Plan, options: Arguments, inner: Inner) -> None:
        self.plan, self.options, self.inner = plan, options, inner
        self.seen = Findings()

    def line(self, text: str, stream: Stream) -> tuple[Event, ...]:
        """Take one line, without its end and surrounding blanks; return its meaning."""
        raise NotImplementedError

    def achieved(self, exit: Exit) -> str:
        """Return what the run achieved, without a full stop; "" unless output and exit code prove it.

        This answers for runs that are no backup.
        """
        good = exit.code == 0 and not self.seen.fatal
        return self.others.get(self.plan.kind, self.did) if good else ""

    @property
    def did(self) -> str:
        """Words for a run that ended well, where no others are known."""
        return f"{self.name} did what it was asked to do"

    def advice(self) -> str | None:
        """Return what the user should do next, None if that is not known."""
        return None

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Take one line with its end."""
        return Fed(self.line(plain(line), stream), line)

    def conclude(self, exit: Exit) -> Result:
        """Conclude from the engine's words and its exit code."""
        seen, backup = self.seen, self.plan.kind == "backup"
        result = conclude(
            seen,
            exit,
            self.inner,
            name=self.name,
            done=self.achieved(exit),
            unproven=self.unproven if backup else "",
            causes=self.causes,
            advice=self.advice(),
        )
        return holds_nothing(result) if backup and seen.files is not None and seen.files <= self.nothing else result
