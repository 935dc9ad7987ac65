"""Any other command: watched from its start to its exit code, its output untouched.

Its stdout stays the caller's (`pg_dump > file`). Its stderr is kept as text for the log and relayed as the same bytes. The exit
code is all that is known of it, so 0 is a success, and everything else a failure unless a signal was asked for.

`pg_dump db | gzip > f` ends as gzip ends, and a tar that fails within a millisecond may be over before the wrapper looks at the
script. So a command that ended with exit code 0 is not fine where a well-known program said on stderr that it failed. Only words
that certainly are a failure of the whole program are known. restic, borg and rclone are left out: scripts ask them for a repository
that is not there yet (`restic snapshots || restic init`), and the wrapper does not miss them in a script.
"""

import functools
import re
from collections.abc import Collection, Mapping, Sequence

from tray.core import regex
from tray.core.dataclass import replace
from tray.core.model import Outcome
from tray.core.redact import Redactor
from tray.engines.base import API, STOP, Exit, Fed, Plan, Result, Stream, Traits
from tray.engines.command_words import Recognise, depends, kind, masked, variables, written
from tray.engines.findings import conclude_by_code
from tray.engines.program import Inner, unwrap
from tray.engines.text import plain, program_name

_MAY_FAIL = (b"tar: ", b"gtar: ", b"bsdtar: ", b"rsync error: ", b"pg_", b"mysql", b"mariadb", b"/")
_MOST = 600
_TAR = (
    "Error is not recoverable: exiting now",
    "Error exit delayed from previous errors.",
    "A sair com estado de falha devido a erros prévios",
    "Afslutter med fejlstatus på grund af tidligere fejl",
    "Arrêt avec code d'échec à cause des erreurs précédentes",
    "Avslutar med felstatus på grund av tidigare fel",
    "Avslutter med feilkode på grunn av tidligere feil",
    "Beende mit Fehlerstatus aufgrund vorheriger Fehler",
    "Exiting with failure status due to previous errors",
    "Gestopt in fouttoestand vanwege eerdere fouten",
    "Keluar dengan status gagal karena error error sebelumnya",
    "Kilépés hibaállapottal a korábbi hibák miatt",
    "Končí se chybovým kódem, protože byly zaznamenány chyby",
    "Kuna eelnevalt oli vigu, siis lõpetan veakoodiga",
    "Ni eliras kun malsukcesa stato pro antaŭaj eraroj",
    "Poistutaan virhepaluuarvolla aiempien virheiden vuoksi",
    "Saindo com status de falha em razão de erros anteriores",
    "Scor le stádas teipthe de bharr earráidí roimhe seo",
    "Se iese cu starea de eșec din cauza erorilor anterioare",
    "Se sale con estado de fallo debido a errores anteriores",
    "Se surt amb estat de fallida degut a errors prèvis",
    "Uscita con stato di fallimento in base agli errori precedenti",
    "Zakończenie w stanie błędu z powodu uprzednich błędów",
    "Zaradi predhodnih napak zaključujemo s statusom napake",
    "Završi sa statusom neuspjeha zbog prethodnih grešaka",
    "Önceki hatalar nedeniyle başarısız durumla çıkılıyor",
    "Đang thoát với trạng thái thất bại do lỗi xảy ra trước",
    "Завершение работы с состоянием неисправности из-за возникших ошибок",
    "Излазим са стањем неуспеха услед претходних грешака",
    "Изход със статус за грешка поради предходни проблеми",
    "Невдачне завершення внаслідок попередніх помилок",
    "前のエラーにより失敗ステータスで終了します",
    "由于前次错误，将以上次的错误状态退出",
    "由於先前錯誤而以失敗狀態離開",
    "앞서 발생한 오류로 실패 코드를 반환하며 빠져나감",
)
"""The last words of tar, in every language that it knows."""


class Command(Traits):
    """The engine for every command that no adapter knows: it has no trait.

    Args:
        recognise: Tells which engine the words start that a command hands on (`ssh host borg list`).
    """

    api = API
    name = "command"
    stop = STOP

    def __init__(self, recognise: Recognise) -> None:
        self._recognise = recognise

    def recognises(self, program: str) -> bool:  # noqa: ARG002 - every program will do
        """Take any program."""
        return True

    def plan(self, argv: Sequence[str], at: int, environ: Mapping[str, str]) -> Plan:  # noqa: ARG002 - it stands anywhere
        """Start *argv* as it is. `sources` is the redacted command itself, so that different commands are different jobs."""
        shown = Redactor(argv, environ).argv(list(argv))
        inner = unwrap(argv, environ)
        apart = unwrap(shown, {}).sets
        given = variables(program_name(argv[inner.at]), inner.environ, apart) if argv else []
        apart = (*apart, *map(masked, given))
        words = argv[inner.at :]
        if depends(words, self._recognise) and not any(setting.startswith("folder=") for setting in apart):
            apart = (*apart, "folder=.")
        text = written(shown[inner.at :])
        return Plan(
            argv=tuple(argv), kind=kind(words, self._recognise), env={}, sources=(text,) if text else (), apart=apart
        )

    def session(self, plan: Plan) -> "CodeSession":
        """Begin to watch one run."""
        inner = unwrap(plan.argv, {})
        return CodeSession(program_name(plan.argv[inner.at]) if plan.argv else "the command", inner)

    def unlock(self, plan: Plan) -> str | None:  # noqa: ARG002 - it is not known whether the command locks anything
        """Name no command."""
        return None


class CodeSession:
    """One run of which only the exit code is known: remembers the last line of stderr, which often says why it failed.

    Args:
        name: The program, for the reason.
        inner: The wrappers that stand before it.

    Attributes:
        failures: Programs that said on stderr that they failed, each with its words.
    """

    def __init__(self, name: str, inner: Inner) -> None:
        self._name, self._opaque = name, inner.opaque
        self._last = ""
        self.failures: dict[str, str] = {}

    def feed(self, line: bytes, stream: Stream) -> Fed:
        """Relay the same bytes."""
        if stream is Stream.ERR:
            self._last = plain(line) or self._last
            if line.startswith(_MAY_FAIL) and (failed := failure(line)) is not None:
                self.failures.setdefault(*failed)
        return Fed(relay=line)

    def conclude(self, exit: Exit) -> Result:
        """Conclude from the exit code alone."""
        return Result(*conclude_by_code(self._name, exit, opaque=self._opaque, last=self._last))


@functools.cache  # most commands never need it
def _failures() -> "re.Pattern[str]":
    return regex.compile(
        rf"""(?:\S*/)?(?:
        (?P<tar>(?:g|gnu|bsd)?tar):[ ](?:{"|".join(map(re.escape, _TAR))})
        |(?P<rsync>rsync)[ ]error:[ ].{{1,300}}[ ]\(code[ ](?!24\))\d+\)[ ]at[ ]
        |(?P<postgres>pg_dump|pg_dumpall|pg_basebackup):[ ](?:error|fatal):[ ]
        |(?P<mysql>mysqldump|mariadb-dump|mysqlpump):[ ](?:Got[ ]error|Couldn't|Error[ :])
        )""",
        re.VERBOSE,
    )


def failure(line: bytes) -> tuple[str, str] | None:
    """Return the program that says in *line* of stderr that it failed, and its words; None if none does."""
    text = plain(line[:_MOST])
    match = _failures().match(text)
    if match is None:
        return None
    return next(name for name in match.groupdict().values() if name), text


def with_failures(result: Result, failures: Mapping[str, str], known: Collection[str]) -> Result:
    """Return *result*, but a warning instead of a success where a program said that it failed.

    Args:
        failures: Programs that said so, each with its words.
        known: Programs whose ends were seen, and are in *result* already; a second try may have healed what they said.
    """
    failed = [(name, words) for name, words in failures.items() if name not in known]
    if result.outcome is not Outcome.SUCCEEDED or not failed:
        return result
    name, words = failed[0]
    reason = f"{name} failed, although the exit code of the whole is 0: {words.rstrip('.')}."
    return replace(result, outcome=Outcome.WARNING, reason=reason, errors=result.errors + len(failed))
