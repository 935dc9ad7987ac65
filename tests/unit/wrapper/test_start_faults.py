"""Every function and module of ours on the way of `backup-tray run` fails once: the command runs once, with its own exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

SERVER = r"""
import importlib, json, os, sys, zlib
import tray
from tray import last_resort
from tray.__main__ import main

ROOT, HOME, KIND, PART = os.path.dirname(tray.__file__), sys.argv[1], sys.argv[2], int(sys.argv[3])
PARTS = 4
FAULTS = [OSError(5, "Input/output error"), ValueError("a fault"), RuntimeError("a fault"), MemoryError()]
if KIND == "functions":
    import tray.cli.run, tray.wrapper.wrap, tray.audit.spool, tray.audit.store, tray.wrapper.script_steps, tray.observe.execs
    import tray.audit.keys, tray.audit.append, tray.wrapper.follow, tray.status.past_runs


def name(code):
    return f"{code.co_filename[len(ROOT) + 1:]}:{code.co_qualname}:{code.co_firstlineno}"


def run(number, trace):
    folder = os.path.join(HOME, str(number))
    os.mkdir(folder, 0o700)
    os.environ["BACKUP_TRAY_HOME"] = os.path.join(folder, "home")
    for fd, file in ((1, "out"), (2, "err")):
        os.dup2(os.open(os.path.join(folder, file), os.O_WRONLY | os.O_CREAT, 0o600), fd)
    sys.argv = ["backup-tray", "run", "--job", "j", "--", "sh", "-c", f"echo RAN >> {folder}/ran; exit 7"]
    import threading
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        code = main()
    except SystemExit as ended:
        code = ended.code
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        code = 99
    sys.settrace(None)
    os._exit(code)


def forked(number, trace):
    pid = os.fork()
    if not pid:
        run(number, trace)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


seen = os.path.join(HOME, "seen")


def note(frame, event, arg):
    code = frame.f_code
    if code.co_filename.startswith(ROOT):
        with open(seen, "a") as file:
            file.write(name(code) + "\n")


def failing(target, error):
    hit, line = [], int(target.rpartition(":")[2])

    def fail(frame, event, arg):
        code = frame.f_code
        if code.co_firstlineno == line and not hit and code.co_filename.startswith(ROOT) and name(code) == target:
            hit.append(1)
            raise error

    return fail


assert forked("warm", note) == 7
if KIND == "functions":  # their modules are loaded once, ahead of all runs
    for file in sorted({line.partition(":")[0] for line in open(seen)} - {"__main__.py"}):
        importlib.import_module("tray." + file.removesuffix(".py").replace("/", ".").removesuffix("__init__").rstrip("."))
    os.unlink(seen)
assert forked("list", note) == 7
targets = list(dict.fromkeys(open(seen).read().split("\n")))
targets = [t for t in targets if t and not t.startswith(("last_resort.py", "__main__.py", "__init__.py"))]
# The interpreter itself calls these, and reports what it gets or raises it anywhere.
by_python = ("cli/main.py:_introduce_log", "wrapper/follow.py:Follow._note_start.<locals>.note", "wrapper/waker.py:_nothing",
             "wrapper/early_steps.py:Early._look")
targets = [t for t in targets if not t.startswith(by_python)]
targets = [t for t in targets if (":<module>:" in t) is (KIND == "modules")]
bad = []
for number, target in enumerate(targets):
    if zlib.crc32(target.encode()) % PARTS != PART:  # in whatever order threads met them
        continue
    if target.startswith("wrapper/child.py:_") and number % len(FAULTS) == 0:
        FAULTS.append(FAULTS.pop(0))  # an OSError there is what the system says of the command
    folder = os.path.join(HOME, str(number))
    code = forked(number, failing(target, FAULTS[number % len(FAULTS)]))
    said = open(os.path.join(folder, "err")).read()
    ran = open(os.path.join(folder, "ran")).read() if os.path.exists(os.path.join(folder, "ran")) else ""
    if code != 7 or ran != "RAN\n" or said.count("\n") > 1 or "Traceback" in said:
        bad.append([target, type(FAULTS[number % len(FAULTS)]).__name__, code, ran, said[-1500:]])
with open(os.path.join(HOME, "answer"), "w") as file:
    json.dump([len(targets), bad], file)
"""


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize(("kind", "least"), [("functions", 200), ("modules", 30)])
def test_nothing_of_ours_keeps_the_command_from_running(kind: str, least: int, part: int, tmp_path: Path) -> None:
    """Whatever fails, a disk, a module or memory: one line at most on standard error, no traceback, the command's own exit code."""
    program = [sys.executable, "-c", SERVER, str(tmp_path), kind, str(part)]
    subprocess.run(program, cwd=Path(__file__).parents[3], check=True, timeout=300)
    count, bad = json.loads((tmp_path / "answer").read_text())
    assert count > least
    assert bad == []
