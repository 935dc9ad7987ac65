"""Reports: what people and machines get, from real logs; PDFs are read back with another library."""

import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pypdf import PdfReader

from tests.unit.audit.help import python, start, tamper
from tests.unit.report.help import NASTY, PROBLEMS, STEPS, ended, months, nasty, outcome_of, writer
from tray.audit.checkpoint import parse
from tray.audit.merkle import leaf_hash
from tray.audit.proof import Proof
from tray.audit.store import AuditLog
from tray.cli.main import main
from tray.core.model import Outcome
from tray.core.paths import Places
from tray.report import create, of_period, of_run, save
from tray.report.as_rows import COLUMNS

RUN = "019a0000-0000-7000-8000-000000000030"
FOREIGN = f"backup-tray/x\n3\n{base64.b64encode(bytes(32)).decode()}\n\n\N{EM DASH} a AAAAAAAA\n".encode()
EVERYTHING = ("--since", "2020-01-01")


def made(tmp_path: Path, kind: str, *arguments: str) -> bytes:
    """The bytes of a report."""
    target = tmp_path / f"report.{kind}"
    assert main(["report", *arguments, "--format", kind, "--output", str(target), "--force"]) == 0
    return target.read_bytes()


def pages(raw: bytes) -> list[str]:
    """The text of each page of a PDF."""
    return [page.extract_text() for page in PdfReader(io.BytesIO(raw)).pages]


def plain(text: str) -> str:
    """Text without the spaces and line ends that a reader of PDF adds or leaves out."""
    return re.sub(r"\s+", "", text)


def last(places: Places) -> tuple[dict[str, object], dict[str, object]]:
    """The newest entry and its body."""
    with AuditLog.read(places.audit_db) as log:
        (entry,) = log.entries(-1, 1)
    return dict(entry.data), dict(entry.body or {})


# -- PDF


def test_a_run_is_one_page_with_outcome_figures_and_proof(places: Places, tmp_path: Path) -> None:
    """Who is handed the page sees how the run ended, and can compare hash and root with the log."""
    months(places)
    with AuditLog.read(places.audit_db) as log:
        size, root, note = log.head()
        entry = log.entry_of_run(RUN)
    assert entry is not None
    (page,) = pages(made(tmp_path, "pdf", RUN))
    text = plain(page)
    for words in ("home:failed", "restic ended with exit code 3.", "/media/backup/restic", f"Entry{entry.seq},", RUN):
        assert plain(words) in text
    assert entry.leaf.hex() in text
    assert root.hex() in text
    assert all(plain(line) in text for line in note.decode().splitlines())
    assert f"{size}entries,root{root.hex()[:16]}" in text
    assert "Page1of" in text


def test_a_period_tells_days_rates_gaps_and_every_run(places: Places, tmp_path: Path) -> None:
    """The period report counts what the log holds: every run is listed, each failure with its reason."""
    months(places, 90, every=5)
    with AuditLog.read(places.audit_db) as log:
        root = log.head()[1].hex()
    found = pages(made(tmp_path, "pdf", *EVERYTHING))
    text = plain("".join(found))
    assert "2of90runsfailed,1lost" in text
    assert "September2026" in text
    assert "Allruns(90)" in text
    listed = text[text.index("Allruns(90)") :]
    assert all(listed.count(f"{job}backup") == 30 for job in ("home", "photos", "etc"))
    assert all(f"root{root[:16]}" in plain(page) for page in found)
    bad = sum(outcome_of(number) is not Outcome.SUCCEEDED for number in range(90))
    assert text.count("resticendedwithexitcode3.") == bad


def test_names_that_are_too_long_or_not_what_they_seem_stay_on_one_page(places: Places, tmp_path: Path) -> None:
    """Line ends, turned text, tags, 400 problems and 30 steps: one page, everything visible, the rest counted."""
    with writer(places) as log:
        log.append([nasty(1)])
    raw = made(tmp_path, "pdf")
    (page,) = pages(raw)
    assert r"\u202egnp.exe\u202c" in page
    assert "<script>alert(1)</script>" in page
    assert "東京" in page
    assert "\\U0001f4a9" in page
    assert "Problems (400)" in page
    assert re.search(r"… 39\d more in the entry", page)
    assert "permission denied" in page
    assert "\u202e" not in page


def test_no_text_leaves_the_page(places: Places, tmp_path: Path) -> None:
    """Whatever names are recorded, each piece of text begins between the margins, and above the foot's last line."""
    with writer(places) as log:
        log.append([nasty(1), *(ended(number, NASTY + str(number), Outcome.LOST) for number in range(2, 60))])
    for arguments in ((), EVERYTHING, ("--entries",)):
        reader = PdfReader(io.BytesIO(made(tmp_path, "pdf", *arguments)))
        total = str(len(reader.pages))
        places_of: list[tuple[float, float]] = []

        def visit(
            text: str,
            cm: list[float],
            tm: list[float],
            *_: object,
            seen: list[tuple[float, float]] = places_of,
            total: str = total,
        ) -> None:
            numbered = re.fullmatch(rf"Page \d+ of {total}", text.strip())
            if text.strip() not in ("", "?") and not numbered:  # what is in a form has its place from where it is used
                seen.append((tm[4] * cm[0] + cm[4], tm[5] * cm[3] + cm[5]))

        for page in reader.pages:
            page.extract_text(visitor_text=visit)
        assert places_of
        assert [(x, y) for x, y in places_of if not (40 <= x <= 555 and 20 <= y <= 806)] == []


NAMES = {
    "markup": "<b>x</b> <para>&amp;<img src='http://x/y.png'/><a href='http://e'>z</a><br/>&#0;",
    "line ends": "a\nb\r\nc\u2028d\x0be\x85f",
    "from the right": "שלום עולם (גיבוי) \u202eabc\u202c عربي " * 20,
    "no spaces": "x" * 4000,
    "many spaces": "word " * 1000,
    "control characters": "".join(map(chr, range(32))) + "\x7f\x80\x9f\ufeff\u200b\u200d\u00ad",
    "without width": "\u0301" * 900,
    "emoji": "\U0001f469\u200d\U0001f4bb\U0001f389" * 90,
    "Chinese": "東京都渋谷区" * 200,
    "the widest letter": "\ufdfd" * 300,
    "formats": "%(x)s {0} {{}} %s \\",
    "only spaces": "   ",
}


@pytest.mark.parametrize(
    ("name", "paper"), [(name, ("a4", "letter")[place % 2]) for place, name in enumerate(NAMES.values())], ids=NAMES
)
def test_no_name_breaks_a_page(places: Places, tmp_path: Path, name: str, paper: str) -> None:
    """A job, path, message or user may have any name: a run stays one page with its proof, and period and list are written."""
    body = {
        **dict.fromkeys(("reason", "advice", "repository", "snapshot", "user"), name),
        "command": ["sh", "-c", name],
        "sources": [name] * 20,
        "exit_code": 3,
        "signal": 9,
        "evidence": {"saw": name, name: name},
    }
    more = {"problems": [{"item": name, "message": name}, {"item": name, "message": ""}] * 50, "steps": STEPS}
    drafts = [ended(number, name, Outcome.FAILED, body=body, duration_ms=None) for number in range(20)]
    drafts += [ended(number, name, Outcome.LOST, body=body | more, bytes_processed=None) for number in range(20, 31)]
    with writer(places) as log:
        log.append(drafts)
    for run in (RUN, RUN.replace("30", "05")):
        raw = made(tmp_path, "pdf", run, "--paper", paper)
        (page,) = pages(raw)
        assert "Page 1 of 1" in page
        assert "Entry hash" in page
        assert "more in the entry" in page or run != RUN
        assert not re.search(rb"/(Annots|URI|JavaScript|Launch)\b", raw)
    for arguments in (EVERYTHING, ("--entries",)):
        text = "".join(pages(made(tmp_path, "pdf", *arguments, "--paper", paper)))
        assert "Page 1 of" in text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text)


def test_what_has_no_room_on_the_page_of_a_run_is_named_or_counted(places: Places, tmp_path: Path) -> None:
    """Facts that do not fit are named, steps and problems counted: the reader knows that there is more, and where."""
    long = "/srv/" + "deep/" * 60
    body = {
        **dict.fromkeys(("reason", "advice", "repository", "snapshot", "user"), long),
        "command": ["sh", long],
        "sources": [long],
        "exit_code": 3,
        "signal": 9,
        "evidence": {"saw": long},
        "problems": PROBLEMS[:300],
        "steps": STEPS,
    }
    with writer(places) as log:
        log.append([*(ended(number) for number in range(20)), ended(30, outcome=Outcome.FAILED, body=body)])
    (page,) = pages(made(tmp_path, "pdf", RUN, "--paper", "letter"))
    named = re.search(r"Also\n?(.*): in the entry", page)
    shown = [name for name in ("Exit code", "Signal", "Snapshot", "Seen by", "User", "Evidence") if name in page]
    assert named is not None
    assert len(shown) == 6
    steps, problems = map(int, re.findall(r"… (\d+) more in the entry", page))
    assert page.count("restic backup to /srv/") + steps == 30
    assert page.count("permission denied") + problems == 300


def test_every_page_of_a_table_has_its_head(places: Places, tmp_path: Path) -> None:
    """The reader of one page among many knows what its columns are, and how many pages there are."""
    months(places, 400)
    found = [plain(page) for page in pages(made(tmp_path, "pdf", *EVERYTHING))]
    assert len(found) > 8
    for number, page in enumerate(found, 1):
        assert f"Page{number}of{len(found)}" in page
        assert number == 1 or "FinishedOutcomeJob" in page
    with_runs = [page for page in found if "Allruns(400)" in page]
    assert sum("Allruns(400),thenewestfirst,continued" in page for page in with_runs) == len(with_runs) - 1
    assert sum(page.count("backup1min") + page.count("backup2min") for page in with_runs) == 400


@pytest.mark.parametrize(
    ("written", "drawn"),
    [
        ("home", "home"),
        ("שלום", "םולש"),
        ("שלום עולם", "םלוע םולש"),
        ("home שלום photos", "home םולש photos"),
        ("שלום (גיבוי)", "(יוביג) םולש"),
        ("שלום (גיבוי) home", "(יוביג) םולש home"),
        ("home (שלום)", "home (םולש)"),
        ("שלום (home)", "םולש (home)"),
        (")שלום(", ")םולש("),
    ],
)
def test_a_name_from_the_right_is_drawn_as_it_is_read(written: str, drawn: str) -> None:
    """Hebrew and Arabic letters stand from right to left within a line from the left, brackets around what they enclose."""
    from tray.report.pdf.fonts import visual

    assert visual(written) == drawn


def test_the_fallback_font_is_loaded_only_when_a_character_needs_it(places: Places, tmp_path: Path) -> None:
    """A page in Latin script holds no font of 3 MB in memory, nor a part of one in the file."""
    months(places, 3)
    assert b"Droid" not in made(tmp_path, "pdf")
    with writer(places) as log:
        log.append([ended(900, "東京")])
    assert b"Droid" in made(tmp_path, "pdf")


def test_a_pdf_needs_no_font_of_the_reader_and_says_what_it_is(places: Places, tmp_path: Path) -> None:
    """Every font that a page uses is in the file, on every kind of page; title, language and author are told."""
    months(places, 40)
    with writer(places) as log:
        log.append([ended(900, "東京")])
    for arguments, title in (((), "東京: succeeded"), (EVERYTHING, "2026-09-2"), (("--entries",), "entries")):
        reader = PdfReader(io.BytesIO(made(tmp_path, "pdf", *arguments)))
        fonts = [
            (font["/BaseFont"], "/FontFile2" in font.get("/FontDescriptor", {}))
            for page in reader.pages
            for font in (named.get_object() for named in page["/Resources"]["/Font"].values())
        ]
        assert fonts
        assert [name for name, within in fonts if not within] == []
        assert reader.root_object["/Lang"] == "en"
        assert reader.metadata is not None
        assert reader.metadata.author == "Backup Tray"
        assert title in (reader.metadata.title or "")


def test_letter_paper_by_option_and_by_locale(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In countries that print on Letter a report fits without scaling."""
    months(places, 3)
    assert b"[ 0 0 612 792 ]" in made(tmp_path, "pdf", "--paper", "letter")
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    assert b"[ 0 0 612 792 ]" in made(tmp_path, "pdf")
    assert create.paper_of({"LANG": "de_DE.UTF-8"}) == create.paper_of({}) == "a4"


# -- HTML


class _Seen(HTMLParser):
    """Collects tags, attributes and text, and notes tags that do not fit."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("arguments", [(ended(500).run,), EVERYTHING, ("--entries",)])
def test_html_is_whole_in_itself_and_runs_nothing(places: Places, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The file loads nothing and runs nothing, whatever names are in it, and a screen reader can use it."""
    months(places, 20)
    with writer(places) as log:
        log.append([nasty(500)])
    raw = made(tmp_path, "html", *arguments).decode()
    seen = _Seen()
    seen.feed(raw)
    names = [tag for tag, _ in seen.tags]
    assert not seen.open
    assert names.count("h1") == 1
    assert not {"script", "link", "img", "iframe", "object", "a", "form"} & set(names)
    assert not any(key.startswith("on") or key in ("src", "href", "style") for _, given in seen.tags for key in given)
    assert ("html", {"lang": "en"}) in seen.tags
    assert all(given.get("scope") in ("col", "row") for tag, given in seen.tags if tag == "th")
    assert all(given.get("role") == "img" and given.get("aria-label") for tag, given in seen.tags if tag == "svg")
    policy = next(given["content"] for tag, given in seen.tags if given.get("http-equiv") == "Content-Security-Policy")
    style = re.search(r"<style>(.*?)</style>", raw, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert "\u202e" not in raw
    assert "@media print" in raw
    assert "prefers-color-scheme: dark" in raw
    assert "url(" not in raw
    assert "<script>" in seen.text


# -- CSV and JSON Lines


def test_csv_is_read_back_by_a_reader_of_csv(places: Places, tmp_path: Path) -> None:
    """Every field is quoted, spreadsheets know that it is UTF-8, times are RFC 3339 in UTC, and each run is there once."""
    months(places, 30)
    raw = made(tmp_path, "csv", *EVERYTHING)
    assert raw.startswith(b'\xef\xbb\xbf"entry",')
    header, *rows = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
    assert tuple(header) == COLUMNS
    assert len({row[COLUMNS.index("run")] for row in rows}) == len(rows) == 30
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row[1]) for row in rows)
    assert raw.count(b"\r\n") == 31


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "＝1", "\n=1"])
def test_no_spreadsheet_takes_a_name_for_a_formula(places: Places, tmp_path: Path, name: str) -> None:
    """A job that calls itself a formula is a text in the auditor's spreadsheet."""
    with writer(places) as log:
        log.append([ended(1, name)])
    rows = list(csv.DictReader(io.StringIO(made(tmp_path, "csv").decode("utf-8-sig"), newline="")))
    assert rows[0]["job"].startswith("'")


@pytest.mark.parametrize(
    "name", ["a;=1+1", 'a;"=1', "a; +1", "a;'-1", "a;;@x", "a;＝1", 'a";=1;"=2', "\u00a0=1", "a;\u00a0=1"]
)
def test_no_spreadsheet_of_another_language_takes_a_part_of_a_name_for_a_formula(
    places: Places, tmp_path: Path, name: str
) -> None:
    """Where the semicolon separates cells, a German or French spreadsheet begins one within our field."""
    with writer(places) as log:
        log.append([ended(1, name)])
    text = made(tmp_path, "csv").decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=";") for cell in row]
    plain = [cell for line in text.split("\r\n") for cell in line.split(";")]
    assert len(plain) > 1
    assert not [cell for cell in (*cells, *plain) if cell.strip(' "\u00a0')[:1] in tuple("=+-@＝") and cell.strip()]


def test_a_run_as_json_lines_carries_its_proof(places: Places, tmp_path: Path) -> None:
    """The line is the bytes that were hashed, and the proof beside it holds without our log."""
    months(places, 40)
    with AuditLog.read(places.audit_db) as log:
        entry = log.entry_of_run(RUN)
    assert entry is not None
    assert made(tmp_path, "jsonl", RUN) == entry.raw + b"\n"
    proof = Proof.from_bytes((tmp_path / "report.jsonl.tlog-proof").read_bytes())
    from tray.audit import keys

    assert proof.check(keys.pins(places.audit_key)).size >= 42
    assert proof.entry == entry.raw
    assert proof.details is None
    made(tmp_path, "jsonl", RUN, "--details")
    detailed = Proof.from_bytes((tmp_path / "report.jsonl.tlog-proof").read_bytes())
    detailed.check(keys.pins(places.audit_key))
    assert detailed.details is not None


def test_a_period_as_json_lines_has_the_exact_bytes_and_a_checkpoint(places: Places, tmp_path: Path) -> None:
    """Each line hashes to the leaf that is in the log; the signed checkpoint lies beside."""
    months(places, 10)
    with AuditLog.read(places.audit_db) as log:
        stored = {entry.leaf: entry.seq for entry in log.entries(0, 100)}
    lines = made(tmp_path, "jsonl", "--entries").splitlines()
    assert sorted(stored[leaf_hash(line)] for line in lines) == sorted(stored.values())
    assert parse((tmp_path / "report.jsonl.checkpoint").read_bytes()).size == len(lines)


# -- the same for the same


@pytest.mark.parametrize("kind", ["pdf", "html", "csv", "jsonl", "text"])
@pytest.mark.parametrize("arguments", [(RUN,), EVERYTHING])
def test_the_same_checkpoint_gives_the_same_bytes(
    places: Places, tmp_path: Path, kind: str, arguments: tuple[str, ...]
) -> None:
    """A report can be made again, later and after more has happened, and compared bit by bit."""
    months(places, 40)
    pinned = tmp_path / "checkpoint"
    with AuditLog.read(places.audit_db) as log:
        pinned.write_bytes(log.head()[2])
    first = made(tmp_path, kind, *arguments, "--checkpoint", str(pinned))
    with writer(places) as log:
        log.append([ended(3000), start()])
    assert made(tmp_path, kind, *arguments, "--checkpoint", str(pinned)) == first


@pytest.mark.process
def test_the_same_log_gives_the_same_pdf_in_two_processes(places: Places, tmp_path: Path) -> None:
    """Nothing in the file comes from the process, its memory or its clock."""
    months(places, 10)
    with AuditLog.read(places.audit_db) as log:
        (tmp_path / "note").write_bytes(log.head()[2])
    code = "import sys; from tray.cli.main import main; sys.exit(main(sys.argv[1:]))"
    files = [tmp_path / f"{number}.pdf" for number in range(2)]
    for file in files:
        done = python(code, "report", "--output", file, "--checkpoint", tmp_path / "note")
        assert done.returncode == 0, done.stderr
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("note", [b"", b"nonsense", FOREIGN])
def test_a_checkpoint_that_is_not_of_this_log_is_refused(
    places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str], note: bytes
) -> None:
    """No report claims a checkpoint that the log does not continue."""
    months(places, 3)
    (tmp_path / "note").write_bytes(note)
    assert main(["report", "--checkpoint", str(tmp_path / "note"), "--output", str(tmp_path / "x.pdf")]) == 2
    assert "cannot serve as a baseline" in capsys.readouterr().err
    assert not (tmp_path / "x.pdf").exists()


def test_a_forged_root_is_refused(places: Places, tmp_path: Path) -> None:
    """A note with this log's name but another root is not printed as if it were the log's."""
    months(places, 3)
    with AuditLog.read(places.audit_db) as log:
        note = log.head()[2]
    lines = note.split(b"\n")
    lines[2] = base64.b64encode(bytes(32))
    (tmp_path / "note").write_bytes(b"\n".join(lines))
    assert main(["report", "--checkpoint", str(tmp_path / "note"), "--output", str(tmp_path / "x.pdf")]) == 2


# -- truth


@pytest.mark.parametrize("kind", ["pdf", "html", "text"])
def test_a_log_that_was_altered_is_not_believed(places: Places, tmp_path: Path, kind: str) -> None:
    """Every kind of page says so, in words, where it would say intact."""
    months(places, 10)
    with AuditLog.read(places.audit_db) as log:
        raw = log.entry(5).raw
    changed = raw.replace(b"succeeded", b"cancelled")
    assert changed != raw
    tamper(places, ("UPDATE entries SET entry = ? WHERE seq = 5", (changed,)))
    for arguments in ((), EVERYTHING):
        content = made(tmp_path, kind, *arguments)
        text = plain("".join(pages(content)) if kind == "pdf" else content.decode())
        assert re.search("NOTtobebelieved:(etc:|photos:|home:|1of10runs|Norunfailed|All)", text)
        assert "NOTtobebelieved:theauditlogwasaltered" in text
        assert "Intact" not in text


def test_a_filter_that_hides_runs_tells_no_rate(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """From the failures alone the report cannot tell how many backups succeed."""
    months(places, 40)
    assert main(["report", "--outcome", "failed", *EVERYTHING]) == 0
    said = capsys.readouterr().out
    assert "neither rates nor gaps are given" in said
    assert "%" not in said


@pytest.mark.parametrize(
    ("arguments", "headline"),
    [
        ((), "1 of 60 runs failed"),
        (("--outcome", "failed"), "1 run failed"),
        (("--outcome", "succeeded"), "asked for, of"),
    ],
)
def test_a_filter_by_outcome_makes_neither_disaster_nor_success(
    places: Places, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], headline: str
) -> None:
    """Where only failures or only successes were asked for the headline does not speak as if there were no others."""
    months(places)
    assert main(["report", *arguments, *EVERYTHING]) == 0
    said = capsys.readouterr().out.splitlines()[0]
    assert headline in said
    assert "All" not in said


@pytest.mark.usefixtures("utc")
def test_a_gap_counts_from_the_last_backup_before_the_period(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """A month that begins long after the last backup does not look better than it was."""
    with writer(places) as log:
        log.append([ended(0), ended(240), ended(241, outcome=Outcome.FAILED), ended(242)])
    since = "2026-09-29 00:00"  # the first run was on the 21st
    assert main(["report", "--since", since, "--until", "2026-10-02 01:00"]) == 0
    assert re.search(r"^  home .* 10 d  ", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 0, "–"),
        (0, 10_000, "0 %"),
        (1, 10_000, "0.1 %"),
        (9_999, 10_000, "99.9 %"),
        (3, 3, "100 %"),
        (1, 3, "33.3 %"),
        (8, 9, "88.9 %"),
        (1, 2, "50 %"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, whole: int, words: str) -> None:
    """One failure among ten thousand is not 100 %."""
    assert of_period.percent(part, whole) == words


# -- the file, the entry, the errors


def test_an_export_is_an_entry_with_the_digest_of_the_file(places: Places, tmp_path: Path) -> None:
    """The log records each export: which file, of what, how much, with which content."""
    months(places, 10)
    content = made(tmp_path, "csv", "--job", "home,photos", "--outcome", "succeeded")
    entry, body = last(places)
    assert (entry["action"], entry["result"]) == ("audit.exported", "exported")
    assert body["sha256"] == hashlib.sha256(content).hexdigest()
    assert (body["format"], body["file"], body["about"]) == ("csv", "report.csv", "runs")
    assert body["count"] == content.count(b"\r\n") - 1
    assert body["filter"] == {"job": ["home", "photos"], "outcome": ["succeeded"]}


def test_reading_a_report_in_the_terminal_is_no_entry(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Looking changes nothing."""
    months(places, 4)
    before = last(places)
    assert main(["report"]) == main(["report", *EVERYTHING]) == main(["report", "--entries"]) == 0
    assert capsys.readouterr().out
    assert last(places) == before


def test_a_file_that_is_there_stays(places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report replaces a file only with --force; otherwise it leaves nothing beside it and records nothing."""
    months(places, 4)
    target = tmp_path / "mine.pdf"
    target.write_text("mine")
    before = last(places)
    assert main(["report", "--output", str(target)]) == 2
    assert "--force" in capsys.readouterr().err
    assert target.read_text() == "mine"
    assert last(places) == before
    assert main(["report", "--output", str(target), "--force"]) == 0
    assert target.read_bytes().startswith(b"%PDF-")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["mine.pdf"]
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_file_that_came_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the rename another process may write: its file wins."""
    target = tmp_path / "x"
    monkeypatch.setattr(save, "free", lambda *_, **__: None)
    target.write_text("his")
    with pytest.raises(save.ReportExistsError):
        save.put(target, b"ours", force=False)
    assert target.read_text() == "his"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["missing/x.pdf", ".", "file/x.pdf", "a" * 300 + ".pdf", "\x00.pdf"])
def test_where_nothing_can_be_written_the_error_says_so(
    places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A folder that is missing, a name that is too long: one sentence why and one what to do, and no entry."""
    months(places, 2)
    (tmp_path / "file").write_text("")
    before = last(places)
    assert main(["report", "--format", "pdf", "--output", f"{tmp_path}/{name}"]) == 2
    said = capsys.readouterr().err
    assert "The report was not written" in said
    assert "next:" in said
    assert last(places) == before


def test_a_full_disk_leaves_nothing_behind(places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report that does not fit is not there at all, and not on record."""
    months(places, 2)
    before = last(places)
    assert main(["report", "--format", "pdf", "--output", "/dev/full/x.pdf"]) == 2
    import errno

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(save.os, "fsync", full)
        assert main(["report", "--output", str(tmp_path / "x.pdf")]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert not [path for path in tmp_path.iterdir() if path.is_file()]
    assert last(places) == before


def test_nothing_that_matches_is_said(places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty report would look like a period without failures."""
    months(places, 2)
    for arguments in (["--job", "nobody"], ["ffffffff"]):
        assert main(["report", *arguments, "--format", "csv", "--output", str(tmp_path / "x")]) == 2
    said = capsys.readouterr().err
    assert "nothing to report" in said
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["last", "--job", "home"],
        ["--month", "2026-10", "--since", "2026-10-01"],
        ["--month", "someday"],
        ["--format", "pdf"],
        ["--format", "docx"],
        ["last", "--entries"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error(places: Places, arguments: list[str]) -> None:
    """A report about something else than was meant is worse than none."""
    months(places, 2)
    assert main(["report", *arguments]) == 64


@pytest.mark.process
def test_a_report_to_standard_output_is_bytes_and_on_record(places: Places) -> None:
    """`report --output - | lpr` prints; nothing but the file is in the output."""
    months(places, 3)
    code = "import sys; from tray.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = python(f"import subprocess, sys; {code}", "report", "--format", "csv", "--output", "-")
    assert done.returncode == 0
    assert done.stdout.startswith('\ufeff"entry"')
    assert last(places)[1]["file"] == "-"


def test_the_month_is_the_local_month(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """--month 2026-10 is October from its first to its last moment."""
    months(places, 60, every=24)
    assert main(["report", "--month", "2026-10"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "  2026-10-01 to 2026-10-31"


def test_a_run_whose_end_nobody_wrote_down_is_reported_as_such(places: Places, tmp_path: Path) -> None:
    """A start without an end is neither good nor bad: the page says that no end is on record."""
    run = "019b0000-0000-7000-8000-000000000001"
    with writer(places) as log:
        log.append([start(run)])
    (page,) = pages(made(tmp_path, "pdf", run))
    assert "no end on record yet" in page
    assert "no end on record yet" in made(tmp_path, "html", run).decode()


def test_a_run_whose_record_waits_is_reported_without_a_proof(places: Places, tmp_path: Path) -> None:
    """The report shows a run that is not in the log yet, and claims nothing about it."""
    from tray.audit import spool

    waiting = ended(7)
    spool.keep(places, [waiting])
    (page,) = pages(made(tmp_path, "pdf", waiting.run or ""))
    assert "nothing is verified" in page
    assert "no checkpoint" in page


@pytest.mark.process
def test_only_the_pdf_loads_reportlab() -> None:
    """The window and the tracker, which know reports, stay as small as they are."""
    code = (
        "import sys, tray.report, tray.report.create, tray.report.as_html, tray.report.as_rows, tray.window.run_pages; "
    )
    done = python(code + "print('reportlab' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_a_run_of_the_systems_is_reported_without_a_proof_of_its_own(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of root's runs a user gets the page, which claims no checkpoint, and is told how root gets the proof."""
    there = Places(*(tmp_path / "root" / name for name in ("config", "state", "runtime", "log")))
    months(there, 40)
    told = json.loads(json.dumps(of_run.gather(there, RUN).to_json()))
    monkeypatch.setattr(of_run.system_history, "report", lambda _: told)
    (page,) = pages(made(tmp_path, "pdf", RUN))
    assert "the system's (root's)" in page
    assert "no checkpoint" in page
    assert b"the system" in made(tmp_path, "html", RUN)
    assert RUN.encode() in made(tmp_path, "csv", RUN)
    assert main(["report", RUN, "--output", str(tmp_path / "x.jsonl")]) == 2
    assert "sudo backup-tray report" in capsys.readouterr().err


def test_a_job_without_any_backup_is_worse_than_any_gap(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """The longest gap of all is that of the job which has no backup at all, however short the period was."""
    with writer(places) as log:
        log.append([ended(0), ended(200), ended(201, "new", Outcome.FAILED)])
    assert main(["report", *EVERYTHING]) == 0
    said = capsys.readouterr().out
    assert re.search(r"Longest gap +no backup\n", said)
    assert re.search(r"^  new .* 0 % +no backup made", said, re.MULTILINE)


def test_a_jobs_name_instead_of_a_runs_id_is_told_as_such(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """Who names a job is shown the command that reports on it."""
    months(places, 3)
    assert main(["report", "photos"]) == 2
    assert "`backup-tray report --job photos`" in capsys.readouterr().err
    assert main(["report", "neither"]) == 2
    assert "--job" not in capsys.readouterr().err
