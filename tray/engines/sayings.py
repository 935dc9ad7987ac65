"""What well-known programs say on stderr when they fail, for commands whose exit code does not tell it.

`pg_dump db | gzip > f` ends as gzip ends, and a tar that fails within a millisecond may be over
before a look at the script meets it. So a command that ended with exit code 0 is not fine where one of these said that it failed.

Only words that certainly are a failure of the whole program are known. restic, borg and rclone are left out: scripts ask them for a
repository that is not there yet (`restic snapshots || restic init`), and a look at the script does not miss them.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from tray.core.model import Outcome
from tray.engines.base import Result
from tray.engines.text import plain

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
_SAYS = re.compile(
    rf"""(?:\S*/)?(?:
    (?P<tar>(?:g|gnu|bsd)?tar):[ ](?:{"|".join(map(re.escape, _TAR))})
    |(?P<rsync>rsync)[ ]error:[ ].{{1,300}}[ ]\(code[ ](?!24\))\d+\)[ ]at[ ]
    |(?P<postgres>pg_dump|pg_dumpall|pg_basebackup):[ ](?:error|fatal):[ ]
    |(?P<mysql>mysqldump|mariadb-dump|mysqlpump):[ ](?:Got[ ]error|Couldn't|Error[ :])
    )""",
    re.VERBOSE,
)
_MOST = 600


def failure(line: bytes) -> tuple[str, str] | None:
    """Return the program that says in *line* of stderr that it failed, and what it says; None if none does."""
    text = plain(line[:_MOST])
    found = _SAYS.match(text)
    if found is None:
        return None
    return next(name for name in found.groupdict().values() if name), text


def judge(result: Result, failures: Mapping[str, str], known: Collection[str]) -> Result:
    """Return *result* with what programs said: a success is none where one said that it failed.

    Args:
        failures: Programs that said so, each with its words.
        known: Programs whose ends were seen, and are in *result* already; a second try may have healed what they said.
    """
    said = [(name, words) for name, words in failures.items() if name not in known]
    if result.outcome is not Outcome.SUCCEEDED or not said:
        return result
    name, words = said[0]
    reason = f"{name} failed, although the exit code of the whole is 0: {words.rstrip('.')}."
    return replace(result, outcome=Outcome.WARNING, reason=reason, errors=result.errors + len(said))
