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
    """A contributor who types the example gets what the tests read: the command that is really started, output and exit code."""
    (recipe,) = re.findall(r"(?ms)^```sh\n(.*?)^```$", PAGE.read_text())
    subprocess.run(["sh", "-e", "-c", recipe], env={**os.environ, "TMPDIR": str(tmp_path)}, check=True, timeout=60)
    (made,) = tmp_path.glob("*/*.exit")
    told = json.loads(made.read_text())
    argv = ("dar", *told["args"])
    engine, at = engines.recognise(argv, {})
    plan = engine.plan(argv, at, {})
    assert plan.argv == argv
    session = engine.session(plan)
    for line in split(made.with_suffix(".stdout").read_bytes(), returns=plan.returns):
        session.feed(line, Stream.OUT)
    assert session.conclude(Exit(told["rc"])).outcome is Outcome.SUCCEEDED
