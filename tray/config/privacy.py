"""The table [privacy] of the configuration: what else of command lines may be shown.

```toml
[privacy]
show = ["--customer", "-x"]
commands = "known"
```
"""

import re
from collections.abc import Callable

from tray.core.redact import Rules

COMMANDS = ("known", "all")
_OPTION = re.compile(r"--?[A-Za-z][\w.-]*")


def parse(table: object, fault: Callable[[str, str], Exception]) -> Rules:
    """Return what [privacy] says.

    `show` names options whose values are shown whatever they look like. `commands = "all"` shows also words whose meaning is not
    known; passwords by name and place stay hidden.

    Raises:
        Exception: What *fault* makes of the first key that does not make sense.
    """
    if not isinstance(table, dict):
        raise fault("", "it must be a table")
    show, commands = table.get("show", []), table.get("commands", "known")
    if not isinstance(show, list) or not all(isinstance(name, str) and _OPTION.fullmatch(name) for name in show):
        raise fault("show", '`show` must be a list of options such as ["--customer", "-x"]')
    if commands not in COMMANDS:
        raise fault("commands", '`commands` must be "known" or "all"')
    return Rules(frozenset(show), everything=commands == "all")
