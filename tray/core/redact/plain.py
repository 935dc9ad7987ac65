"""Is a word ordinary enough to be shown: a name, a number, a date, a size, a pattern; or may it be a secret?

The answer depends on the word's letters alone, never on what lies on the disks: a command has the same name every night.
"""

import re
from functools import lru_cache
from itertools import pairwise

from tray.core import regex


def words(text: str) -> frozenset[str]:
    """Return the words of *text* as a set."""
    return frozenset(text.split())


_MOST = 128
LEAST_HIDDEN = 6
_SEPARATORS = regex.compile(r"[\x00-/:-@\[-`{-\x7f]+")
_STRANGE = regex.compile(r"[^\w./:,+@=~*?\[\]{}%^()# \-]")  # what no ordinary word holds
_NUMBER = regex.compile(r"[+-]?\d{1,12}(?:[.,:/_x-]\d{1,12}){0,7}(?:[KMGTPkmgt]?i?[Bb]?|ms|min|[smhdwy%+])(?:/s)?")
_DATE = regex.compile(r"\d{4}-?\d\d-?\d\d(?:[T_ -]?\d\d[:h-]?\d\d(?:[:-]?\d\d(?:\.\d{1,9})?)?)?(?:Z|[+-]\d\d:?\d\d)?")
_LOCALE = regex.compile(r"[a-z]{2}_[A-Z]{2}(?:\.(?:UTF-?8|utf-?8|ISO-?8859-\d+))?(?:@\w{1,10})?|C\.UTF-8|UTF-?(?:8|16)")
_FORMAT = regex.compile(r"%[-_0^]?\d{0,3}[A-Za-z]")
_RUN = regex.compile(
    r"\d{1,12}|[a-z]{1,24}|[A-Z]{1,24}|[A-Z][a-z]{1,24}"
    r"|[A-Z]?[a-z]{2,}(?:[A-Z][a-z]{2,}){1,3}|[a-z]{0,8}[A-Z]{2,5}|[A-Z]{2,4}[a-z]{2,}|(?:\d{1,3}[hdmsw]){1,4}"
)
_NUMBERED = regex.compile(r"([A-Za-z]{1,24})\d{1,4}|\d{1,4}([A-Za-z]{1,3})")
_SHORT = 4
"""A name of letters and digits that is no longer is ordinary: `db01`, `sda1`, `2nd`."""
_CONSONANTS = regex.compile(r"[bcdfghjklmnpqrstvwxz]{7}")
_VOWEL = regex.compile(r"[aeiouyäöüéèêàáâôåøæœ]", re.IGNORECASE)
_FILE_ENDINGS = words(
    """7z bak bin bz2 cfg cnf conf csv db dmg doc docx dump gpg gz html img ini iso jpeg jpg js json key lst list log md mp3 mp4
    odt pdf pem php png py qcow2 rar raw rb sh sql sqlite svg tar tbz2 tgz tmp toml txt txz vdi vhd vhdx vmdk xlsx xml xz yaml
    yml zip zst age asc service timer"""
)
_NUMBERED_TOO = words(
    """aes alpine amd arch area arm batch block bond branch build bundle bzip camera central centos chapter chunk cluster cores
    debian desktop device disc domain drive east fedora floor gzip jdk java jobs kernel kubernetes kvm laptop layer level line
    linux lto lvm lzma macbook mariadb master mongo mongodb month node nodes north nvme offset page part phase php pool port
    postgresql proxmox pve python rack raid redis region release replica retry rev rhel room round sda sector serial series
    session set sha shard site slave slot south stage step suse tank tape task tenant thread threads tls ubuntu unit utf vlan vol
    volume week west win windows worker workstation year zfs zone zstd
    base64 ed25519 nvme0n1 x25519"""
)
"""Further words that machines, parts and versions are numbered by."""
ORDINARY = words(
    """access admin all alpha alle always and any app archive auto backup backups beta bin bool borg bucket cache cert changeme
    client cloud code config copy create daily data database dataset date datei daten day debug default dev dir disk docker
    documents dump error etc example exit extern external fail failed false file files folder foo bar baz for full good group
    guest hello help home host hourly http https image info input job key keys kopia lang list live load local localhost log
    login main mail manual media minio mnt monthly mysql name nas neu new nightly none null off old on open opt oracle ordner
    output own pass passwd passwort password path photos postgres prod production public pwd query read repo repository restic
    restore root rsync run safe save secret secure server service share sichern sicherung snapshot source srv ssh sql staging
    start state stop storage system tag target temp test tests text time tmp token tool true type unix update user username users
    usr value var version view vom von web weekly with work world write yearly yes and the not found wrong incorrect missing
    invalid januar februar april mai juni juli august september oktober november dezember january february march may june july
    october december monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag freitag samstag
    sonntag en de fr it es"""
)
"""Words that stand in any log; to hide them would protect nothing, even where one of them is a user's password."""


def is_plain(word: str) -> bool:
    """Whether *word*, which holds no space, is an ordinary one: shown as it is, also where its meaning is not known."""
    return len(word) <= _MOST and _is_plain(word)


@lru_cache(maxsize=1024)
def _is_plain(word: str) -> bool:
    if _STRANGE.search(word):
        return False
    if word.isdigit() and len(word) <= 12:
        return True
    for known in (_NUMBER, _DATE, _LOCALE):
        if known.fullmatch(word):
            return True
    runs = _runs(_FORMAT.sub(" ", _DATE.sub(" ", word)))
    if not all(map(_plain_run, runs)):
        return False
    if _of_all_kinds(word) and not all(
        run.isdigit() or (run.isalpha() and (len(run) > 2 or run.isupper())) for run in runs
    ):
        return False
    return not any(map(str.isdigit, "".join(runs))) or all(_may_be_numbered(run) for run in runs if run.isalpha())


def is_path_part(part: str) -> bool:
    """Whether *part* may be shown as a part of a path: files have names of more kinds than other words, also with spaces."""
    if len(part) > 255 or (_STRANGE.search(part) and _of_all_kinds(part)):
        return False
    return _DATE.fullmatch(part) is not None or not any(
        looks_random(run) or (len(run) > 24 and _mixed(run)) for run in _runs(_FORMAT.sub(" ", _DATE.sub(" ", part)))
    )


def is_file_name(word: str) -> bool:
    """Whether *word* is the name of a file by its ending: `Rechnung2024.pdf`."""
    stem, dot, ending = word.rpartition(".")
    return bool(dot) and ending.lower() in _FILE_ENDINGS and not _STRANGE.search(stem) and is_path_part(stem)


def looks_random(run: str) -> bool:
    """Whether letters and digits without anything between them look as if drawn by chance: a key, a token, a hash."""
    if len(run) < 8 or _plain_run(run) or _DATE.fullmatch(run):
        return False
    return changes(run) >= 3 or (len(run) >= 16 and _mixed(run)) or (len(run) > 40) or not _VOWEL.search(run)


def is_worth_learning(value: str) -> bool:
    """Whether a *value* without a telling name looks so much like a secret that it is hidden wherever it occurs."""
    if not 8 <= len(value) <= 4096 or "/" in value[:1] or any(map(str.isspace, value)):
        return False
    if "://" in value or _NUMBER.fullmatch(value) or _DATE.fullmatch(value) or is_file_name(value):
        return False
    runs = _runs(value)
    if any(map(looks_random, runs)) or (_STRANGE.search(value) and _of_all_kinds(value)):
        return True
    whole = "".join(runs)
    return len(whole) >= 8 and changes(whole) * 2 >= len(whole) and not is_plain(value)


def is_hidden_too(word: str) -> bool:
    """Whether a *word* that is masked in the command is hidden in the output as well: each that is not an ordinary one."""
    return LEAST_HIDDEN <= len(word) <= 4096 and not is_plain(word) and not is_file_name(word)


def is_ordinary(value: str) -> bool:
    """Whether *value* stands in any text, so that it is not hidden everywhere even where it is a secret."""
    if len(value) < 2 or value.lower() in ORDINARY:
        return True
    return value.isdigit() and len(value) < 5


def changes(run: str) -> int:
    """Return how often capitals, small letters and digits follow each other; a capital before small ones counts as small."""
    kinds = "".join("d" if char.isdigit() else "u" if char.isupper() else "l" for char in run)
    return sum(a != b for a, b in pairwise(kinds)) - (kinds.startswith("ul"))


def _runs(word: str) -> list[str]:
    return [run for run in _SEPARATORS.split(word) if run]


def _plain_run(run: str) -> bool:
    if not run.isascii():
        return len(run) <= 40 and run.isalpha()
    if not _RUN.fullmatch(run):
        return (
            run.lower() in _NUMBERED_TOO
            or len(run) <= _SHORT
            or ((numbered := _NUMBERED.fullmatch(run)) is not None and _is_numbered(numbered))
        )
    if len(run) >= 8 and _of_all_kinds(run):
        return False
    letters = run.strip("0123456789")
    if len(letters) < 6:
        return True
    return _VOWEL.search(letters) is not None and not _CONSONANTS.search(letters.lower())


def _is_numbered(numbered: "re.Match[str]") -> bool:
    letters = numbered[1] or numbered[2]
    return (
        _is_numberable(letters) or len(numbered[0]) <= _SHORT or (len(letters) <= 2 and len(numbered[0]) <= _SHORT + 1)
    )


def _may_be_numbered(run: str) -> bool:
    """Whether *run* may stand beside a number in an ordinary word: `photos-2024`, `nas01`, but not `hunter2`, `Sommer-2024`."""
    return len(run) < _SHORT or _is_numberable(run)


def _is_numberable(letters: str) -> bool:
    return letters.lower() in ORDINARY or letters.lower() in _NUMBERED_TOO


def _mixed(run: str) -> bool:
    return any(map(str.isdigit, run)) and any(map(str.isalpha, run))


def _of_all_kinds(word: str) -> bool:
    """Whether small letters, capitals and digits are in it."""
    return (
        any(map(str.isdigit, word)) and any(map(str.islower, word)) and any(map(str.isupper, word)) and len(word) >= 8
    )
