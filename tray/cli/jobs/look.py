"""List jobs and show their settings: `backup-tray jobs list` and `show`."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from tray import config, wording
from tray.cli import Command
from tray.config.jobs import LEARN, OFF, Job
from tray.core import clock
from tray.core.errors import JobNotFoundError
from tray.core.paths import Places, places
from tray.housekeeping import config_changes
from tray.jobs import editing
from tray.jobs.editing import Known
from tray.wording.near_names import known_jobs

_NAME_COLUMNS = 40


def _add_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _list(args: Namespace) -> int:
    """Print a line for each job, faults below."""
    here = places()
    known, tables = editing.known(here, judged=True), _tables(here)
    facts = [_facts(known, tables, name) for name in sorted(known.all)]
    if args.json:
        print(json.dumps({"jobs": facts, "notes": list(known.configured.notes)}, indent=2, ensure_ascii=False))
        return 0
    if not facts:
        print(
            "There are no jobs yet. Make one: `backup-tray create`, or put `backup-tray run --` before a backup command."
        )
    for line in _lines(facts):
        print(line)
    for note in known.configured.notes:
        print(f"Note: {wording.escape(note)}.")
    return 0


def _lines(facts: list[dict[str, Any]]) -> Iterator[str]:
    names = [wording.fit(wording.escape(each["job"]), _NAME_COLUMNS) for each in facts]
    rhythms = [str(each["expected"]) for each in facts]
    wide, wider = max(map(len, names), default=0), max(map(len, rhythms), default=0)
    for name, rhythm, each in zip(names, rhythms, facts, strict=True):
        yield f"  {name:<{wide}}  {rhythm:<{wider}}  {wording.escape(each['started'])}".rstrip()
        if each["fault"] is not None:
            yield f"    fault: {wording.escape(each['fault']['why'])}"
            yield f"    mend it: {wording.escape(each['fault']['next'])}"


def _add_show(parser: ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="the job, as `backup-tray jobs` names it")
    _add_json(parser)


def _show(args: Namespace) -> int:
    """Print the settings of one job as config.toml has them, without passwords."""
    here = places()
    known = editing.known(here, judged=True)
    if args.job not in known.all:
        raise JobNotFoundError(args.job, known_jobs(args.job, sorted(known.all), "There are no jobs yet"))
    facts = _facts(known, _tables(here), args.job)
    if args.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return 0
    print(wording.escape(args.job))
    print(f"  expected    {facts['expected']}")
    print(f"  started by  {wording.escape(facts['started'])}")
    for name in facts["former_names"]:
        print(f"  once called {wording.escape(name)}")
    if facts["fault"] is not None:
        print(f"  fault       {wording.escape(facts['fault']['why'])}")
        print(f"              {wording.escape(facts['fault']['next'])}")
    for key, value in facts["settings"].items():
        print(f"  {key} = {wording.escape(json.dumps(value, ensure_ascii=False))}")
    return 0


def _facts(known: Known, tables: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the facts of the job *name*, as `--json` shows them."""
    job, fault = known.configured.jobs.get(name), known.configured.broken.get(name)
    return {
        "job": name,
        "configured": name in known.in_file,
        "enabled": job is None or not job.is_off(clock.now_ms()),
        "off_until": None if job is None or job.off_until_ms is None else clock.to_text(job.off_until_ms),
        "runnable": job is not None and job.runnable,
        "recorded": name in known.past,
        "expected": _expected(job, over=known.is_over(name)),
        "started": _started(job, configured=name in known.in_file),
        "former_names": sorted(former for former, now in known.names.renamed.items() if now == name),
        "settings": config_changes.shown(tables.get(name, {})),
        "fault": None if fault is None else {**fault.facts(), "line": fault.line, "column": fault.column},
    }


def _expected(job: Job | None, *, over: bool) -> str:
    """Return in words how often the job is expected to run."""
    if job is not None and job.is_off(clock.now_ms()):
        return wording.off(job.off_until_ms if job.enabled else None)
    if over and (job is None or not job.runnable):
        return "retired"
    if job is None or job.rhythm == LEARN:
        return "as it ran so far"
    if job.rhythm == OFF:
        return "never"
    return f"every {config.length_text(job.every_ms)}" if job.every_ms is not None else wording.times(job.on)


def _started(job: Job | None, *, configured: bool) -> str:
    """Return in words the scheduler or command that starts the job."""
    if job is not None and job.runnable:
        return f"backup-tray backup ({job.engine or job.command[0]})"
    if job is not None and job.watched is not None:
        return job.watched
    return "not by this program" if job is not None or not configured else "nothing, until its fault is mended"


def _tables(here: Places) -> Mapping[str, Any]:
    document = config.read(here)
    tables: Mapping[str, Any] = {} if document is None else document.tables.get("jobs", {})
    return tables


LIST = Command(_add_json, _list, "backup-tray jobs list", "backup-tray jobs list --json")
SHOW = Command(_add_show, _show, "backup-tray jobs show home", "backup-tray jobs show home --json")
