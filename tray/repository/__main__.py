"""Look at one local repository and print what its files say: for a folder whose file system may hang, see `look.read_apart`."""

import json
import os
import sys
from pathlib import Path

from tray.core import tied
from tray.core.errors import RepositoryUnreachableError
from tray.repository import files


def main() -> None:
    """Print what was found as one line of JSON; the arguments are engine and folder."""
    tied.tie(os.getppid())
    engine, folder = sys.argv[1:3]
    try:
        said = files.to_json(files.look(engine, Path(folder)))
    except RepositoryUnreachableError as error:
        said = {"why": error.why}
    print(json.dumps(said))
