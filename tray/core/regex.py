"""Regular expressions that are compiled when they are first used.

Two thirds of the expressions that the wrapper loads are never needed by a run, and each takes a tenth of a millisecond to compile.
"""

import re
from typing import Any, AnyStr, cast


class _Expression:
    """Stands for an expression, and takes over each method of the compiled one at its first use."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._source = pattern, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # a class with abstract methods looks for marks in each of its attributes
            raise AttributeError(name)
        value = getattr(re.compile(*self._source), name)  # `re` remembers what it has compiled
        setattr(self, name, value)
        return value


def compile(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:  # noqa: A001 - named as in `re`
    """Return the expression *pattern*; use its methods, since functions of `re` do not take it."""
    return cast("re.Pattern[AnyStr]", _Expression(pattern, flags))
