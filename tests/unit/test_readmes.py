"""The pages for people are true: links, pictures, and every module, function and setting that they name."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tray import config
from tray.audit.entry import Action
from tray.config import Config, channels, jobs
from tray.config.file import Document
from tray.config.jobs import Job
from tray.core.dataclass import fields, replace
from tray.core.paths import Places

ROOT = Path(__file__).parents[2]
TRAY = ROOT / "tray"
MAP = TRAY / "README.md"
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in ("build", "dist") for part in page.relative_to(ROOT).parts)
)
ACTIONS = {action.value for action in Action}
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FILE = re.compile(r"[\w./-]+\.(?:py|js|html|md|json)")
_NAME = re.compile(r"[a-z_]\w*(?:\.\w+)+")
_OTHER_ENDINGS = ("toml", "db", "sh", "pub", "key", "new", "exe", "py", "md", "js", "json")
FORMER_ROOMS = ("asked", "care", "errors", "fetch", "model", "outside", "redact", "runner", "standing")
"""Former names of packages and modules that live on in memory, or that stand in another place."""


def pages(*, inside: str = "") -> list[object]:
    """The pages below a folder, as arguments of a test."""
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if page.is_relative_to(ROOT / inside)]


def prose(page: Path) -> str:
    """The text of *page* without blocks of code."""
    fenced = re.sub(r"(?ms)^```.*?^```$", "", page.read_text(encoding="utf-8"))
    return "\n".join(line for line in fenced.split("\n") if not line.startswith("    "))


def spans(text: str) -> list[str]:
    """Return the texts between backticks."""
    return re.findall(r"`([^`\n]+)`", text)


@cache
def members(file: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(file.read_text(encoding="utf-8"))


def defined(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Yield each name that *body* defines, also under a condition, with its statement."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node
            case ast.ImportFrom(names=names):
                yield from ((name.asname or name.name, node) for name in names)
            case ast.If() | ast.Try():
                yield from defined([*node.body, *node.orelse])
            case _:
                pass


def exists(name: str, folder: Path) -> bool:
    """Whether *name* (`room.module.Class.method`) is a package, module, class, function or constant below *folder*."""
    parts, at = name.split("."), folder
    while parts and (at / parts[0]).is_dir():
        at /= parts.pop(0)
    if parts and (at / f"{parts[0]}.py").is_file():
        at /= f"{parts.pop(0)}.py"
    else:
        at /= "__init__.py"
    if not at.is_file():
        return False
    body: list[ast.stmt] = members(at).body
    for place, part in enumerate(parts):
        found = dict(defined(body)).get(part)
        if found is None:
            return False
        if isinstance(found, ast.ImportFrom):
            (origin,) = (alias.name for alias in found.names if part in (alias.asname, alias.name))
            package = (found.module or "").removeprefix("tray").lstrip(".")
            return exists(".".join(filter(None, (package, origin, *parts[place + 1 :]))), TRAY)
        body = found.body if isinstance(found, ast.ClassDef) else []
    return True


def floors() -> dict[str, int]:
    """The floor of each room, by the contract of import-linter."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["type"] == "layers" and one["containers"] == ["tray"])
    return {room.strip(): floor for floor, rooms in enumerate(reversed(layers), 1) for room in re.split(r"[|:]", rooms)}


def test_the_first_page_is_short() -> None:
    """A newcomer reads less than 200 lines before the first backup."""
    assert len((ROOT / "README.md").read_text().splitlines()) < 200


@pytest.mark.parametrize("page", pages())
def test_every_link_and_picture_leads_somewhere(page: Path) -> None:
    """A reader who follows a link within the checkout arrives."""
    links = [link for link in _LINK.findall(prose(page)) if not re.match(r"[a-z]+:|#", link)]
    assert [link for link in links if not (page.parent / link.partition("#")[0]).exists()] == []


def test_every_picture_is_shown() -> None:
    """No picture is kept that no page shows."""
    shown = {(page.parent / link).resolve() for page in PAGES for link in _LINK.findall(prose(page))}
    assert sorted(set((ROOT / "assets/screenshots").iterdir()) - shown) == []


@pytest.mark.parametrize("page", [*pages(inside="tray"), *pages(inside="tests")])
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    """A contributor finds each module, test and page under the name that the text gives it."""
    named = [span for span in spans(prose(page)) if _FILE.fullmatch(span) and "NAME" not in span]
    missing = [span for span in named if not (ROOT / span).exists() and not any(page.parent.rglob(span))]
    assert missing == []


@pytest.mark.parametrize("page", pages(inside="tray"))
def test_every_function_that_a_page_names_exists(page: Path) -> None:
    """Who renames a module or function is told here which page speaks of it."""
    wrong = []
    for span in spans(prose(page)):
        if not _NAME.fullmatch(span) or _FILE.fullmatch(span) or span in ACTIONS:
            continue
        first, last = span.split(".")[0], span.rpartition(".")[2]
        beside = page.parent != TRAY and ((page.parent / first).is_dir() or (page.parent / f"{first}.py").is_file())
        speaks_of_code = page == MAP or beside or first in floors()
        if speaks_of_code and last not in _OTHER_ENDINGS:
            wrong += [] if exists(span, TRAY) or exists(span, page.parent) else [span]
    assert wrong == []


def test_the_map_has_every_room_on_its_floor() -> None:
    """The table of the map and the contract that import-linter holds say the same."""
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| \S", MAP.read_text(), flags=re.MULTILINE)
    assert {room: int(floor) for floor, room in rows} == floors()
    assert len(rows) == len(floors())


def test_every_room_has_its_part_in_one_of_the_two_ways_or_stands_aside() -> None:
    """Who reads the two ways has met every room."""
    text = prose(MAP)
    ways = text[text.index("## From a line") : text.index("## Set up")]
    met, aside = ways.split("Seven rooms stand aside")
    known = floors()
    through = {room for span in spans(met) if (room := span.split(".")[0]) in known and "." in span}
    beside = {span for span in spans(aside) if span in known}
    assert through | beside == set(known)
    assert len(beside) == 7
    assert not through & beside


def test_the_example_of_an_error_is_a_real_one() -> None:
    """The map shows a class as it stands in the catalogue."""
    (example,) = re.findall(r"(?ms)^```python\n(.*?)^```$", MAP.read_text())
    assert any(example in module.read_text() for module in (TRAY / "core" / "errors").glob("*.py"))


def test_the_example_of_a_configuration_is_understood(places: Places) -> None:
    """Each key on the page about config.toml can be used as it stands there, and the values are the defaults."""
    (text,) = re.findall(r"(?ms)^```toml\n(.*?)^```$", (TRAY / "config" / "README.md").read_text())
    places.config.mkdir(parents=True, mode=0o700)
    places.config_file.write_text(text)
    found = config.load(places)
    configured = jobs.load(places)
    assert (configured.broken, configured.notes) == ({}, ())
    assert list(configured.jobs) == ["home", "database", "laptop"]
    assert configured.jobs["database"] == Job(
        name="database",
        engine=None,
        command=("pg_backup", "--all"),
        environment_file="/etc/pg_backup.env",
        rhythm="stated",
        on="Mon..Fri 20:30",
        zone="Europe/Berlin",
        delay_ms=900_000,
        stalled_after=0.0,
    )
    assert [configured.jobs[name].runnable for name in configured.jobs] == [True, True, False]
    usual_job = Job("usual")
    written = {
        name
        for job in configured.jobs.values()
        for name in fields(job)
        if getattr(job, name) != getattr(usual_job, name)
    }
    assert written == {*fields(usual_job)} - {"password_command", "enabled", "max_age_off"}
    assert (found.limit("database"), found.limit("home")) == (None, 600.0)
    usual = Config()
    same = ("ask_every_ms", "stalled_after", "observe", "audit", "privacy")
    assert replace(found.runs, keep_ms_of={}) == usual.runs
    assert [getattr(found, name) for name in same] == [getattr(usual, name) for name in same]


def test_every_channel_of_the_examples_can_be_used() -> None:
    """A user who copies a line of the first page, or the page about config.toml, is told by that channel."""
    for page, names in ((ROOT / "README.md", {*channels.TYPES}), (TRAY / "config" / "README.md", {"desktop", "mail"})):
        (text,) = re.findall(r"(?ms)^```toml\n(.*?)^```$", page.read_text())
        known = channels.configured(Document(page, text))
        assert (known.broken, known.notes) == ({}, ())
        assert {*known.channels} == names


def test_every_script_that_measures_is_explained() -> None:
    """Who looks for a figure finds the script that prints it."""
    text = (ROOT / "tests/bench/README.md").read_text()
    assert [
        script.name for script in sorted((ROOT / "tests/bench").glob("*.py")) if f"`{script.name}`" not in text
    ] == []


def test_every_function_that_a_comment_names_exists() -> None:
    """A reader who follows a name in a docstring or comment arrives, also after the function was moved."""
    rooms = {*floors(), *FORMER_ROOMS}
    wrong = {}
    for module in sorted(TRAY.rglob("*.py")):
        for span in {span.removeprefix("tray.") for span in spans(module.read_text(encoding="utf-8"))}:
            if not _NAME.fullmatch(span) or span in ACTIONS or span.rpartition(".")[2] in _OTHER_ENDINGS:
                continue
            first, folders = span.split(".")[0], (TRAY, TRAY / "core", *module.parents[:2])
            beside = (module.parent / first).is_dir() or (module.parent / f"{first}.py").is_file()
            if (beside or first in rooms) and not any(exists(span, folder) for folder in folders):
                wrong[span] = str(module.relative_to(TRAY))
    assert wrong == {}


@pytest.mark.parametrize("package", sorted(TRAY.rglob("__init__.py")), ids=lambda file: file.parent.name)
def test_every_module_that_a_package_lists_is_there(package: Path) -> None:
    """The list of modules at the head of a package is not older than the package."""
    listed = re.findall(r"\b(\w+\.py)\b", ast.get_docstring(members(package)) or "")
    around = (package.parent, package.parent.parent)
    assert [name for name in listed if not any((folder / name).is_file() for folder in around)] == []
