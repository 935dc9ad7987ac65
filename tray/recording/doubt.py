"""What a run came to where something stands against it: a doubt, a mistake of ours, words that cannot be made safe to keep."""

from collections.abc import Callable

from tray.core.dataclass import replace
from tray.core.model import Outcome
from tray.core.redact import Redactor
from tray.engines.base import Result
from tray.recording import run_entries


def doubted(result: Result, why: str) -> Result:
    """Return *result*, or that nobody knows in the place of a success; *why* is empty where there is no doubt."""
    if not why or result.outcome is not Outcome.SUCCEEDED:
        return result
    return replace(result, outcome=Outcome.UNKNOWN, reason=f"{result.reason.rstrip('.')}, but {why}.")


def mistake(error: Exception) -> str:
    """Return what went wrong, as the second half of a sentence."""
    return f"Backup Tray made a mistake of its own ({type(error).__name__}: {error})"


def unknown(error: Exception) -> Result:
    """Return the result of a run about which our own mistake kept us from saying anything."""
    return Result(Outcome.UNKNOWN, f"{mistake(error)}, so what the run came to is not known.")


def unknown_after_mistake(conclude: Callable[[], Result]) -> Result:
    """Return what *conclude* says, or that nobody knows, if an engine's adapter fails over it."""
    try:
        return conclude()
    except Exception as error:
        return unknown(error)


def clean(result: Result, redactor: Redactor) -> Result:
    """Return *result* as it may be kept; where its words cannot be made safe, without them and without a success."""

    def text(words: str | None) -> str | None:
        return None if words is None else redactor.text(words)

    try:
        problems = tuple(
            replace(problem, message=redactor.text(problem.message), item=text(problem.item))
            for problem in result.problems[: run_entries.MAX_PROBLEMS]
        )
        return replace(result, reason=redactor.text(result.reason), advice=text(result.advice), problems=problems)
    except Exception:
        outcome = Outcome.UNKNOWN if result.outcome is Outcome.SUCCEEDED else result.outcome
        return Result(outcome, "Its words could not be made safe to keep.", errors=result.errors)
