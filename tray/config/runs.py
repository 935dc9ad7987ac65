"""The table [runs] of the configuration: how long the logs of runs are kept.

```toml
[runs]
keep = "90d"
most = "1GiB"
```
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

Fault = Callable[[str, str], Exception]
"""Makes the error of a key ("" for the whole table) and a reason; it knows the file and finds the line."""

_DAY_MS = 86_400_000
_UNITS = {"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@dataclass(frozen=True, slots=True)
class RunsConfig:
    """How long the folders of ended runs are kept. The entries of the audit log are no business of this.

    Attributes:
        keep_ms: Older ones are removed; None: age is no reason.
        most: Bytes that all of them take at most, the oldest go first; None: size is no reason.
    """

    keep_ms: int | None = 90 * _DAY_MS
    most: int | None = 1 << 30


def parse(table: object, fault: Fault) -> RunsConfig:
    """Return what [runs] says.

    Raises:
        Exception: What *fault* makes of the first key that does not make sense.
    """
    if not isinstance(table, dict):
        raise fault("", "it must be a table")
    return RunsConfig(_keep(table.get("keep", "90d"), fault), _most(table.get("most", "1GiB"), fault))


def _keep(value: object, fault: Fault) -> int | None:
    if value == "off":
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})d", value) if isinstance(value, str) else None
    if found is None:
        raise fault("keep", '`keep` must be a number of days such as "90d", or "off"')
    return int(found[1]) * _DAY_MS


def _most(value: object, fault: Fault) -> int | None:
    if value == "off":
        return None
    found = re.fullmatch(r"([1-9]\d{0,5}) ?([MGT]i?B)", value) if isinstance(value, str) else None
    if found is None:
        raise fault("most", '`most` must be a size such as "500MiB" or "1GiB", or "off"')
    return int(found[1]) * _UNITS[found[2]]
