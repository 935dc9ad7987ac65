"""The only door between page and Python.

pywebview hands every message of a page to one function, `js_bridge_call`, which finds its target by attribute names that the page
chooses, sends tracebacks to the page, and needs `eval` for its answers. `Gate` takes that function's place: a message must carry
the secret of this start and name exactly one of our calls with exactly its arguments; nothing is ever looked up by attribute.
Answers go back as data in a call of a function that our page defines, so the strict policy without `eval` holds.
"""

import hmac
import logging
import re
import threading
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

from tray.core.dataclass import dataclass
from tray.core.errors import BackupTrayError, WebViewUnsafeError
from tray.window.document import literal

Check = Callable[[object], Any]
"""Turns one argument from the page into a value of ours, or raises ValueError with what it must be."""

_HOOK: Final = "js_bridge_call"
_IDENT = re.compile(r"[0-9]{1,12}", re.ASCII)
_BUSY_LIMIT = 32
_log = logging.getLogger("tray.window")


@dataclass(frozen=True, slots=True)
class Call:
    """Something that a page may ask: what answers it, and how each argument is checked."""

    answer: Callable[..., Any]
    takes: Mapping[str, Check]


class Sealed:
    """An object without any attribute: what pywebview gets as `js_api`, in case something still asks it."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        raise AttributeError(name)

    def __dir__(self) -> list[str]:
        return []


class Gate:
    """Takes the page's messages; called in the thread of the user interface, so it answers from others."""

    def __init__(self, calls: Mapping[str, Call], secret: str, run_script: Callable[[str], object]) -> None:
        self._calls, self._secret, self._run_script = dict(calls), secret.encode(), run_script
        self._free = threading.BoundedSemaphore(_BUSY_LIMIT)

    def __call__(self, _window: object, name: object, message: object, ident: object) -> None:
        """Answer one message, in the signature of pywebview's `js_bridge_call`. Whatever does not fit is dropped unanswered."""
        if not isinstance(ident, str) or not _IDENT.fullmatch(ident) or not isinstance(message, dict):
            return
        secret, arguments = message.get("secret"), message.get("arguments")
        if not isinstance(secret, str) or not hmac.compare_digest(secret.encode("utf-8", "replace"), self._secret):
            return
        call = self._calls.get(name) if isinstance(name, str) else None
        if call is None or not isinstance(arguments, dict) or not self._free.acquire(blocking=False):
            return
        threading.Thread(target=self._answer, args=(call, arguments, ident), daemon=True, name=f"call {name}").start()

    def _answer(self, call: Call, arguments: dict[str, Any], ident: str) -> None:
        try:
            reply = answer(call, arguments)
            self._run_script(f"BT.answered({literal(ident)},{literal(reply)})")
        except Exception:
            _log.exception("an answer could not be sent to the page")
        finally:
            self._free.release()


def answer(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page gets: {"value": ...} or {"error": {code, what, why, next, field}}; never a traceback."""
    try:
        return {"value": call.answer(**checked(call, arguments))}
    except BackupTrayError as error:
        return {"error": {**error.facts(), "field": getattr(error, "field", "")}}
    except OSError as error:
        about = f"The system said so about {error.filename}." if error.filename else "The system said so."
        return {"error": _facts(f"{error.strerror or 'The system refused it'}.", about)}
    except Exception as error:
        _log.exception("a call from the page failed")
        why = f"This is a mistake of ours ({type(error).__name__})."
        return {"error": _facts("Something went wrong inside Backup Tray.", why)}


def checked(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked arguments.

    Raises:
        BackupTrayError: One is missing, unknown, or not what it must be.
    """
    try:
        if arguments.keys() != call.takes.keys():
            raise ValueError(f"it takes {', '.join(sorted(call.takes)) or 'nothing'}")
        return {name: check(arguments[name]) for name, check in call.takes.items()}
    except ValueError as error:
        what = "The window asked for something that makes no sense."
        raise BackupTrayError(what, why=f"{error}.", next=_DOCTOR) from error


def install(platform: ModuleType, gate: Gate) -> None:
    """Put *gate* in the place of the door of pywebview's *platform* module.

    Raises:
        WebViewUnsafeError: This pywebview has no such door, so we would not know what a page can reach.
    """
    if not callable(getattr(platform, _HOOK, None)):
        raise WebViewUnsafeError(platform.__name__)
    setattr(platform, _HOOK, gate)


def text(limit: int) -> Check:
    """Check for text of at most *limit* characters."""

    def check(value: object) -> str:
        if not isinstance(value, str) or len(value) > limit or "\0" in value:
            raise ValueError(f"text of at most {limit} characters is needed")
        # File names may hold escaped bytes (PEP 383), but no other lone surrogates.
        value.encode("utf-8", "surrogateescape")
        return value

    return check


def texts(most: int, limit: int) -> Check:
    """Check for a list of at most *most* texts."""
    one = text(limit)

    def check(value: object) -> list[str]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"a list of at most {most} texts is needed")
        return [one(item) for item in value]

    return check


def one_of(*words: str) -> Check:
    """Check for one of *words*."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"one of {', '.join(words)} is needed")
        return value

    return check


def number(value: object) -> int:
    """Check for a whole number from 0 to 2^53 - 1, the ones that JavaScript counts exactly."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise ValueError("a whole number that is not negative is needed")
    return value


def number_or_none(value: object) -> int | None:
    """Check for a number, or nothing."""
    return None if value is None else number(value)


def cursor(value: object) -> tuple[int, int] | None:
    """Check for the place behind which a page of the log begins: a time in ms and an entry's number; or nothing."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("a place in the log is needed")
    return number(value[0]), number(value[1])


_RUN = re.compile(r"[0-9a-f-]{0,36}", re.ASCII)
_DOCTOR = "Close the window and open it again; if it happens again, run `backup-tray doctor`."


def run_id(value: object) -> str:
    """Check for the id of a run, or its beginning; empty means the last one."""
    if not isinstance(value, str) or not _RUN.fullmatch(value):
        raise ValueError("the id of a run is needed")
    return value


def _facts(what: str, why: str) -> dict[str, str]:
    return {"code": "ERROR_INTERNAL", "what": what, "why": why, "next": _DOCTOR, "field": ""}
