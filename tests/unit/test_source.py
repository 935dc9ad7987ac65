"""How the source reads: imports stand at the top, sentences name who acts, names say what they hold."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = sorted({path.relative_to(ROOT / "tray").parts[0] for path in (ROOT / "tray").rglob("*.py")})
OUTER_TESTS = [
    *(ROOT / "tests" / name for name in ("e2e", "bench", "fuzz", "data")),
    *(ROOT / "tests").glob("*.py"),
    ROOT / ".ci",
]
"""Everything beside the unit tests that checks or measures the program."""

IMPORTS_LATER = {"__main__.py", "last_resort.py", "cli", "icon", "wrapper"}
"""Where a function may import: these start before every backup, or stay in memory all day."""

MOST_IMPORTS = 84
"""How many imports stand in functions. It may sink; a commit that raises it says why."""

MOST_WHATS = 337
"""How often sentences say "what". Often a noun is plainer: "the exit code" for "what it ended with". It may sink as well."""

MOST_WHATS_IN_TESTS = 1
"""The same for `OUTER_TESTS`."""

HIDDEN = re.compile(r"(?i)\b(somebody|someone|whoever|nobody|no one)\b")
RIDDLE = re.compile(r"(?:^|[.:;]\s+|\"\"\")What\b(?![^.]*\?)")
"""A sentence that begins with "What" and is no question: "What follows a run …"."""

VAGUE = {"this", "one", "found", "went", "do", "told", "that", "these"}


def modules(room: str | Path) -> Iterator[tuple[Path, str]]:
    """Return each module of *room* and its text; *room* is a name below `tray`, or the whole path of a folder or module."""
    start = ROOT / "tray" / room
    for path in [start] if start.is_file() else sorted(start.rglob("*.py")):
        yield path.relative_to(ROOT), path.read_text()


def late_imports(room: str) -> Iterator[tuple[str, bool]]:
    """Return the place of each import inside a function, and whether a comment on its line or above gives the reason."""
    for path, text in modules(room):
        lines = text.splitlines()
        for outer in ast.walk(ast.parse(text)):
            if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(outer):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        around = lines[node.lineno - 1 : node.end_lineno]
                        above = lines[node.lineno - 2].strip()
                        reason = any("  # " in line for line in around) or above.startswith(("# ", "import", "from"))
                        yield f"{path}:{node.lineno}", reason


def sentences(room: str) -> Iterator[tuple[str, str]]:
    """Return each comment and each text (a docstring, a message) of *room* with its place."""
    for path, text in modules(room):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)):
                yield f"{path}:{token.start[0]}", token.string


def remarks(folder: Path) -> Iterator[tuple[str, str]]:
    """Return each docstring, comment and message of an assertion in *folder* with its place; other texts there are data."""
    for path, text in modules(folder):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield f"{path}:{token.start[0]}", token.string
        for node in ast.walk(ast.parse(text)):
            said = node.value if isinstance(node, ast.Expr) else node.msg if isinstance(node, ast.Assert) else None
            for part in ast.walk(said) if isinstance(said, ast.Constant | ast.JoinedStr) else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield f"{path}:{part.lineno}", part.value


def whats(texts: Iterable[tuple[str, str]]) -> int:
    """Return how often *texts* say "what"."""
    return sum(len(re.findall(r"(?i)\bwhat\b", text)) for _, text in texts)


def hides(text: str) -> bool:
    """Whether a sentence hides who acts, or begins as a riddle."""
    return bool(HIDDEN.search(text) or RIDDLE.search(text.lstrip('#f" ')))


def vague(room: str | Path) -> Iterator[str]:
    """Return each place in *room* where a value gets a name that does not say what it holds."""
    for path, text in modules(room):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.arg) and node.arg in VAGUE:
                yield f"{path}:{node.lineno} {node.arg}"
            elif isinstance(node, ast.ExceptHandler) and node.name in VAGUE:
                yield f"{path}:{node.lineno} {node.name}"
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in VAGUE:
                yield f"{path}:{node.lineno} {node.id}"


def test_imports_stand_at_the_top() -> None:
    """An import inside a function hides a dependency; where the start must be quick it is allowed, and says why."""
    rooms = set(ROOMS)
    assert [place for room in rooms - IMPORTS_LATER for place, _ in late_imports(room)] == []
    assert [place for room in rooms & IMPORTS_LATER for place, reason in late_imports(room) if not reason] == []


def test_the_number_of_late_imports_does_not_grow() -> None:
    """Each one is a small debt."""
    assert sum(len(list(late_imports(room))) for room in ROOMS) <= MOST_IMPORTS


def test_sentences_name_who_acts() -> None:
    """The user, the wrapper, the tracker or the engine acts, and no title is a riddle."""
    assert [(place, text) for room in ROOMS for place, text in sentences(room) if hides(text)] == []


def test_sentences_in_tests_name_who_acts() -> None:
    """A test promises that the wrapper, the tracker or the engine does a thing."""
    folders = (ROOT / "tests", ROOT / ".ci")
    assert [(place, text) for folder in folders for place, text in remarks(folder) if hides(text)] == []


def test_the_number_of_whats_does_not_grow() -> None:
    """A sentence that needs the word often hides a thing that has a name."""
    assert sum(whats(sentences(room)) for room in ROOMS) <= MOST_WHATS
    assert sum(whats(remarks(folder)) for folder in OUTER_TESTS) <= MOST_WHATS_IN_TESTS


def test_pages_name_who_acts() -> None:
    """The same holds for the pages that users and contributors read, the window and the installer."""
    pages = [ROOT / "README.md", *(ROOT / "tray").rglob("README.md"), *(ROOT / "tests").rglob("README.md")]
    pages += [*(ROOT / "assets/web").rglob("*.js"), *(ROOT / "installers").rglob("*.sh")]
    assert [str(page) for page in pages if HIDDEN.search(page.read_text())] == []


def test_names_say_what_they_hold() -> None:
    """A reader meets `entry`, `run` or `match`, not `this`, `one` or `found`."""
    assert [place for room in [*ROOMS, *OUTER_TESTS] for place in vague(room)] == []
