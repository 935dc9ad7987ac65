"""The recipe for recordings in `tests/data/README.md`, followed to the letter."""

import json
import os
import re
import subprocess
from pathlib import Path

from tests.unit.engines.captures import split
from tray import engines
from tray.core.model import Outcome
from tray.engines.base import Exit, Stream

PAGE = Path(__file__).parents[1] / "data" / "README.md"


def test_the_recipe_makes_a_recording_that_can_be_replayed(tmp_path: Path) -> None:
    """The README's example records the command as started, its output and exit code, in the form that the tests read."""
    (recipe,) = re.findall(r"(?ms)^```sh\n(.*?)^```$", PAGE.read_text())
    subprocess.run(["sh", "-e", "-c", recipe], env={**os.environ, "TMPDIR": str(tmp_path)}, check=True, timeout=60)
    (made,) = tmp_path.glob("*/*.exit")
    recording = json.loads(made.read_text())
    argv = ("dar", *recording["args"])
    engine, at = engines.recognise(argv, {})
    plan = engine.plan(argv, at, {})
    assert plan.argv == argv
    session = engine.session(plan)
    for line in split(made.with_suffix(".stdout").read_bytes(), returns=plan.returns):
        session.feed(line, Stream.OUT)
    assert session.conclude(Exit(recording["rc"])).outcome is Outcome.SUCCEEDED
