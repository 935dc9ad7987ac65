"""Hide passwords before anything leaves the process: the audit log, run logs, IPC, notifications and the screen.

A `Redactor` learns the secrets of one command: values of variables, options and `key=value` words whose names say that they are
secret, and passwords in addresses. It hides those values wherever they occur, in the forms that programs print them (JSON, quoted,
percent-encoded), and also whatever looks like a secret by its place. What only a password file holds is not known to us; the
engines do not print it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

HIDDEN = "***"
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SHORT = 4  # shorter secrets are hidden only where they stand alone, else every log would be unreadable

_SECRET = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|PASSCODE|PASSCOMMAND|SECRET|TOKEN|CREDENTIAL|BEARER|^SSHPASS$|KEY_PEM$|CONNECTION_STRING$"
    r"|^RCLONE_CONFIG_.*_KEY$|(?:^|[_.])(?:PASS|PWD|PW|SAS)\d*$|(?:^|_)PASS_"
    r"|(?:API|ACCESS|ACCOUNT|PRIVATE|ENCRYPTION|SIGNING|APPLICATION|APP|STORAGE|MASTER|AUTH|SHARED|CRYPT|B2|RSA|AZUREBLOB|SWIFT|SSE_CUSTOMER)[_.]?KEY"
    r"|(?:^|[_.])(?:SIG|SIGNATURE|AUTH|AUTHORIZATION|COOKIE)$"
)
_NOT_SECRET = re.compile(
    r"(?:_FILE|_FILES|_PATH|_DIR|_FD|_STDIN|_SOCK|_LENGTH|_HASH|ASKPASS|_PROMPT)$|^(?:INSECURE_)?NO_|^ASK_|^(?:OLD)?PWD$|^KEY_HINT$"
)
_HARMLESS = frozenset(("true", "false", "yes", "no", "none", "null", "on", "off", "0", "1", "prompt", "ask"))

_ADDRESS = re.compile(  # a password ends at the last @ before the path; a badly made address may hold a / in it
    r"(?P<keep>\b[\w.+-]{1,40}://[^\s/:@'\"]*:)(?P<value>[^\s/'\"]*(?=@)|(?!\d{1,5}(?:/|$))[^\s'\"]*(?=@))"
)
_TOKEN_ADDRESS = re.compile(r"(?P<keep>\bhttps?://)(?P<value>[^\s/:@'\"]{16,})(?=@)")
_BARE_LOGIN = re.compile(
    r"(?P<keep>(?<![\w.+-])(?!(?:sftp|ssh|scp|rsync|mailto|rest|https?|s3|b2|gs|rclone|swift|azure):)[\w.+-]+:)(?P<value>[^\s/@:'\",]+)(?=@[\w.-]+)"
)
_NAMED = re.compile(
    r"(?P<name>[A-Za-z_][\w.-]{0,99})(?P<keep>=|\"\s*:\s*(?=\"))(?P<value>\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[^\s&;,'\"]+)"
)
_OPTION = re.compile(
    r"(?<![\w-])--(?P<name>[A-Za-z][\w-]{0,99})(?P<keep>\s+)(?P<value>\"[^\"]*\"|'[^']*'|[^\s'\"-][^\s'\"]*)"
)
_HEADER = re.compile(r"(?i)(?P<keep>\b(?:Basic|Bearer)\s+)(?P<value>[\w.~+/=-]{8,})")

# Every secret name holds one of these: a cheap look before the dear expressions.
_HINTS = (
    "pass",
    "pw",
    "secret",
    "token",
    "key",
    "cred",
    "bearer",
    "basic",
    "sig",
    "auth",
    "sas",
    "cookie",
    "connection_string",
    "connection-string",
)

# Options with a letter for a name, which mean a password in these programs only.
_LETTERS = {
    "sshpass": ("-p", "-p*"),
    "curl": ("-u", "--user", "-U", "--proxy-user"),
    "mysql": ("-p*",),
    "mysqldump": ("-p*",),
    "mariadb": ("-p*",),
    "mariadb-dump": ("-p*",),
    "mariabackup": ("-p*",),
    "xtrabackup": ("-p*",),
    "7z": ("-p*",),
    "7za": ("-p*",),
    "7zz": ("-p*",),
    "7zr": ("-p*",),
    "rar": ("-p*", "-hp*"),
    "zip": ("-P",),
    "openssl": ("-k", "-K", "-pass", "-passin", "-passout"),
    "mongodump": ("-p",),
    "smbclient": ("-U",),
}
_LOGINS = ("-u", "--user", "-U", "--proxy-user")


def is_secret_name(name: str) -> bool:
    """Whether a variable, option or key of this name holds a secret itself (not the name of a file that does)."""
    plain = name.strip("-").replace("-", "_").upper()
    return bool(_SECRET.search(plain)) and not _NOT_SECRET.search(plain)


class Redactor:
    """Hides the secrets of one command. Cheap for lines that hold none, and hiding twice changes nothing more."""

    __slots__ = ("_known", "_secrets")

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        secrets = {value for name, value in environ.items() if _worth_hiding(name, value)}
        secrets.update(value for value in _in_arguments(argv) if value)
        for text in (*argv, *environ.values()):
            secrets.update(_in_text(text))
        secrets = {secret for secret in secrets if secret.strip("*") and secret.strip()}
        self._secrets = frozenset(secrets)
        self._known = _pattern(secrets)

    def text(self, text: str) -> str:
        """Return *text* with every secret replaced by `***`."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        if "@" in text:
            text = _TOKEN_ADDRESS.sub(_hide, _ADDRESS.sub(_hide, text))
            text = _BARE_LOGIN.sub(_hide, text)
        lowered = text.lower()
        if any(hint in lowered for hint in _HINTS):
            text = _NAMED.sub(_hide_named, text)
            text = _HEADER.sub(_hide, _OPTION.sub(_hide_named, text))
        return text

    def bytes(self, raw: bytes) -> bytes:
        """Return *raw* with every secret replaced; bytes that are no UTF-8 stay as they are."""
        return self.text(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def argv(self, argv: Sequence[str]) -> list[str]:
        """Return the command as it may be shown."""
        hidden = set(_in_arguments(argv))
        return [HIDDEN if word in hidden and word else self.text(word) for word in argv]


def _worth_hiding(name: str, value: str) -> bool:
    if not value or value.lower() in _HARMLESS or not is_secret_name(name):
        return False
    return not ("CREDENTIAL" in name.upper() and value.startswith(("/", "~", "./")))


def _in_arguments(argv: Sequence[str]) -> Iterable[str]:
    """Yield the values of secret options and keys: words of their own, or glued to their name."""
    letters = [letter for word in argv for letter in _LETTERS.get(word.rpartition("/")[2], ())]
    for place, word in enumerate(argv):
        if "sshpass" in word and " " in word:  # rsync -e 'sshpass -p … ssh'
            yield from _in_arguments(word.replace("=", " ", 1 if word.startswith("--") else 0).split())
        following = argv[place + 1] if place + 1 < len(argv) else ""
        if word.startswith("--") and "=" not in word and is_secret_name(word) and not following.startswith("-"):
            yield following
        rest = word
        while "=" in rest:  # also --option=s3.secret=…
            name, _, rest = rest.partition("=")
            if _worth_hiding(name, rest):
                yield rest
                break
        for letter in letters:
            if word == letter:  # of `-u user:password` and `-pass pass:…` only the password
                yield following.partition(":")[2] if letter in _LOGINS and ":" in following else following
                yield following.removeprefix("pass:")
            elif letter.endswith("*") and word.startswith(letter[:-1]) and not word.startswith("--"):
                yield word[len(letter) - 1 :]


def _in_text(text: str) -> Iterable[str]:
    """Yield what stands in *text* where a secret stands."""
    if "@" in text:
        for pattern in (_ADDRESS, _TOKEN_ADDRESS, _BARE_LOGIN):
            yield from (found["value"] for found in pattern.finditer(text))
    if "=" in text or '"' in text:
        for found in _NAMED.finditer(text):
            value = found["value"].strip("\"'")
            if _worth_hiding(found["name"], value):
                yield value
                if len(first := value.partition(":")[0]) > _SHORT:  # rclone's `:sftp,pass=…:/path`
                    yield first
    if "--" in text:
        yield from (found["value"].strip("\"'") for found in _OPTION.finditer(text) if is_secret_name(found["name"]))


def _pattern(secrets: Iterable[str]) -> "re.Pattern[str] | None":
    """Return one expression for all secrets in all their forms, the longest first."""
    forms = {form for secret in secrets for form in _forms(secret)}
    if not forms:
        return None
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(_alone(form) if len(form) < _SHORT else re.escape(form) for form in ordered))


def _alone(form: str) -> str:
    return rf"(?<!\w){re.escape(form)}(?!\w)"


def _forms(secret: str) -> set[str]:
    """Return *secret* as programs print it: as it is, in JSON (also Go's), in shell quotes, percent-encoded or decoded."""
    raw = _bytes(secret)
    printed = json.dumps(secret, ensure_ascii=False)[1:-1]
    go = printed.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    forms = {secret, _decoded(secret), _encoded(raw, ""), _encoded(raw, "/"), raw.decode("utf-8", "backslashreplace")}
    forms |= {raw.decode("utf-8", "replace"), printed, go, json.dumps(secret)[1:-1], secret.replace("'", "'\"'\"'")}
    forms |= {line for line in secret.splitlines() if len(line) >= _SHORT}
    return {form for form in forms if form.strip()}


def _bytes(text: str) -> bytes:
    """Return *text* as the bytes that the system gave us, or nearly so if it holds what no system gives."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _encoded(raw: bytes, safe: str) -> str:
    """Percent-encode; urllib.parse would cost every wrapper milliseconds of its start."""
    return "".join(chr(byte) if chr(byte) in _UNRESERVED or chr(byte) in safe else f"%{byte:02X}" for byte in raw)


def _decoded(text: str) -> str:
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), _bytes(text))
    return raw.decode("utf-8", "replace")


def _hide(found: "re.Match[str]") -> str:
    return found["keep"] + HIDDEN


def _hide_named(found: "re.Match[str]") -> str:
    value = found["value"]
    if not is_secret_name(found["name"]) or value.strip("\"'").lower() in _HARMLESS:
        return found[0]
    mark = value[0] if value[0] in "\"'" else ""
    return found[0][: found.start("value") - found.start()] + mark + HIDDEN + mark
