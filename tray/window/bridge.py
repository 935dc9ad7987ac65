"""Build the page and guard the only door between page and Python.

Nothing is served and nothing is loaded: style sheets and scripts of `assets/web` are put into the one HTML document, each with a
nonce that is new at every start. Markup comes from our own files only; data travels as JSON in an element that no browser executes.

pywebview hands every message of a page to one function, `js_bridge_call`, which finds its target by attribute names that the page
chooses, sends tracebacks to the page, and needs `eval` for its answers. `Gate` takes that function's place: a message must carry
the secret of this start and name exactly one of our calls with exactly its arguments; nothing is ever looked up by attribute.
Answers go back as data in a call of a function that our page defines, so the strict policy without `eval` holds.
"""

import hmac
import json
import logging
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from tray.core.dataclass import dataclass
from tray.core.errors import BackupTrayError, WebViewUnsafeError

Check = Callable[[object], Any]
"""Turns one argument from the page into a value of ours, or raises ValueError with the form that it must have."""

_HOOK: Final = "js_bridge_call"
_IDENT = re.compile(r"[0-9]{1,12}", re.ASCII)
_BUSY_LIMIT = 32
_log = logging.getLogger("tray.window")


@dataclass(frozen=True, slots=True)
class Call:
    """A question that a page may ask: the function that answers it, and the check of each argument."""

    answer: Callable[..., Any]
    takes: Mapping[str, Check]


class Sealed:
    """An object without any attribute: pywebview gets it as `js_api`, in case something still asks it."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        raise AttributeError(name)

    def __dir__(self) -> list[str]:
        return []


class Gate:
    """The receiver of the page's messages; called in the thread of the user interface, so it answers from others."""

    def __init__(self, calls: Mapping[str, Call], secret: str, run_script: Callable[[str], object]) -> None:
        self._calls, self._secret, self._run_script = dict(calls), secret.encode(), run_script
        self._free = threading.BoundedSemaphore(_BUSY_LIMIT)

    def __call__(self, _window: object, name: object, message: object, ident: object) -> None:
        """Answer one message, in the signature of pywebview's `js_bridge_call`. Drop a message that does not fit."""
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
    """Return the reply to the page: {"value": ...} or {"error": {code, what, why, next, field}}; never a traceback."""
    try:
        return {"value": call.answer(**checked(call, arguments))}
    except Exception as error:
        return {"error": facts(error)}


def facts(error: Exception) -> dict[str, Any]:
    """Return the keys of *error* for the page, with its `field`; never a traceback."""
    if isinstance(error, BackupTrayError):
        return {**error.facts(), "field": getattr(error, "field", "")}
    if isinstance(error, OSError):
        about = f"The system said so about {error.filename}." if error.filename else "The system said so."
        return _facts(f"{error.strerror or 'The system refused it'}.", about)
    _log.error("a call from the page failed", exc_info=error)
    return _facts("Something went wrong inside Backup Tray.", f"This is a mistake of ours ({type(error).__name__}).")


def checked(call: Call, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked arguments.

    Raises:
        BackupTrayError: One is missing, unknown, or has another form than it must have.
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
        WebViewUnsafeError: This pywebview has no such door, so it is not known which functions a page can reach.
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
    item_check = text(limit)

    def check(value: object) -> list[str]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"a list of at most {most} texts is needed")
        return [item_check(item) for item in value]

    return check


def one_of(*words: str) -> Check:
    """Check for one of *words*."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"one of {', '.join(words)} is needed")
        return value

    return check


def flag(value: object) -> bool:
    """Check for a yes or a no."""
    if not isinstance(value, bool):
        raise ValueError("a yes or a no is needed")
    return value


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


# -- the document

_STYLE = re.compile(r'<link rel="stylesheet" href="([\w./-]+)">')
_SCRIPT = re.compile(r'<script src="([\w./-]+)"></script>')
_BOOT = "<!-- boot -->"
_POLICY = "<!-- policy -->"


def policy(nonce: str) -> str:
    """Return the content security policy: our own scripts and styles, known by *nonce*, and nothing else at all."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            f"style-src 'nonce-{nonce}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def build(folder: Path, boot: dict[str, Any]) -> str:
    """Return the document.

    Args:
        folder: `assets/web`, which holds `index.html`.
        boot: Plain JSON that the scripts find at their start.

    Raises:
        OSError: A file is missing.
        ValueError: A file cannot be put into the page.
    """
    nonce = secrets.token_urlsafe(18)
    page = (folder / "index.html").read_text(encoding="utf-8")
    page = _STYLE.sub(lambda match: f'<style nonce="{nonce}">\n{_part(folder, match[1], "</style")}</style>', page)
    page = _SCRIPT.sub(lambda match: f'<script nonce="{nonce}">\n{_part(folder, match[1], "</script")}</script>', page)
    page = page.replace(_POLICY, f'<meta http-equiv="Content-Security-Policy" content="{policy(nonce)}">', 1)
    return page.replace(_BOOT, f'<script type="application/json" id="boot">{literal(boot)}</script>', 1)


def literal(value: Any) -> str:
    r"""Return *value* as JSON that is also safe as JavaScript and inside HTML: ASCII only, `<`, `>` and `&` as `\u003c`..."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _part(folder: Path, name: str, end: str) -> str:
    text = (folder / name).read_text(encoding="utf-8")
    if end in text.lower():
        raise ValueError(f"{name} holds {end!r}, which would end its element early")
    return text
