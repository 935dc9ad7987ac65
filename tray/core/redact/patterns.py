"""Secrets that show by their place or their form in any text: passwords in addresses, `name=value`, headers, tokens, private keys.

Each expression reads a text once from left to right: a word is tried at its beginning only, and what was read is not given back
(possessive quantifiers, of single characters only: of groups Python 3.11.2 gets them wrong). So the time grows with the length of
the text, whatever its content.
"""

import re

from tray.core import regex
from tray.core.redact.names import HINTS, STATES, is_secret_name
from tray.core.redact.plain import ORDINARY, changes, is_plain

HIDDEN = "***"
Found = set[str]
"""Takes the values that were hidden."""

_PREFIXES = (
    *("gh", "glpat-", "xox", "sk-", "sk_live", "AKIA", "ASIA", "AROA", "AIza", "ya29.", "eyJ", "hvs.", "npm_"),
    *("AGE-SECRET-KEY-", "SG."),
)
_PORT = regex.compile(r"\d{1,5}(?:[/?#]|$)")
_BEGIN_KEY = "-----BEGIN "
_LONG_RUN = 40


def hide(text: str, hidden: Found | None = None) -> str:
    """Return *text* with `***` in place of whatever shows as a secret; the secrets themselves are added to *hidden*."""
    if _BEGIN_KEY in text:
        text = _hide_keys(text, hidden)
    if "@" in text:
        text = _LOGIN.sub(lambda token: _addresses(token[0], hidden), text)
    lowered = text.lower()
    if any(hint in lowered for hint in HINTS):
        text = _hide_named(text, lowered, hidden)
    if any(prefix in text for prefix in _PREFIXES):
        text = _sub(_TOKEN, text, hidden)
    if len(text) >= _LONG_RUN and text != lowered:  # a key has capitals
        text = _LONG.sub(lambda run: _long_hidden(run, hidden), text)
    return text


def address(word: str, hidden: Found | None = None) -> str:
    """Return *word* with its password hidden if all of it is one address, in which also blanks and quotes may stand."""
    return _addresses(word, hidden) if "@" in word and _ADDRESS.match(word) else word


def _hide_keys(text: str, hidden: Found | None) -> str:
    """Hide what stands between the marks of a private key, or behind the first mark where the second is missing."""
    shown, at, inside = [], 0, False
    for mark in _KEY_MARK.finditer(text):
        shown.append(_kept("", text[at : mark.start()], hidden) if inside else text[at : mark.start()])
        shown.append(mark[0])
        at, inside = mark.end(), mark["what"] == "BEGIN"
    shown.append(_kept("", text[at:], hidden) if inside else text[at:])
    return "".join(shown)


def _hide_named(text: str, lowered: str, hidden: Found | None) -> str:
    if "auth" in lowered or "cookie" in lowered or "x-" in lowered:
        text = _HEADER.sub(lambda seen: _header_hidden(seen, hidden), text)
    if "identified" in lowered:
        text = _sub(_IDENTIFIED, text, hidden)
    if "=" in text or ":" in text:
        text = _hide_values(text, hidden)
    if "--" in text:
        text = _OPTION.sub(lambda seen: _option_hidden(seen, hidden), text)
    if "basic" in lowered or "bearer" in lowered:
        text = _BEARER.sub(lambda seen: seen[0] if is_plain(seen["value"]) else _hidden(seen, hidden), text)
    return text


_KEY_MARK = regex.compile(r"-----(?P<what>BEGIN|END) [A-Z0-9 ]{0,60}PRIVATE KEY(?: BLOCK)?-----")
_ADDRESS = regex.compile(r"(?:[\w.+-]{1,40}:){0,2}//")
_LOGIN = regex.compile(r"(?<![^\s'\"<>])[^\s'\"<>@]++@[^\s'\"<>]*+")
_NAMED = regex.compile(
    r"(?<![\w.-])(?P<name>(?:--)?[^\W\d][\w.-]*+)(?P<keep>(?:\\{0,3}[\"'])?\s{0,4}(?:=>?|:)\s{0,4}(?:\\{1,3}(?=[\"']))?)"
)
_VALUE = regex.compile(r"\"[^\"\\]*+(?:\\.[^\"\\]*+)*\"?|'[^']*+'?|[^\s&;,'\"]++")
_OPTION = regex.compile(
    r"(?<![\w-])--(?P<name>[A-Za-z][\w-]*+)(?P<keep>\s{1,4})(?P<value>\"[^\"]*+\"?|'[^']*+'?|[^\s'\"]++)"
)
_HEADER = regex.compile(
    r"(?P<keep>(?<![\w-])(?:(?:proxy-)?authorization|(?:set-)?cookie|x-[a-z-]{0,30}(?:key|token|auth|secret|password))"
    r"(?:\\{0,3}[\"'])?\s{0,4}[:=]\s{0,4}(?:\\{0,3}[\"'\[]){0,2}"
    r"(?:(?:basic|bearer|token|digest|negotiate|apikey|key|aws4-hmac-sha256)\s{1,4})?)"
    r"(?P<value>(?<=digest )[^\r\n]++|[^\s\"'\\\[][^\r\n\"'\\]*+)",
    re.IGNORECASE,
)
_BEARER = regex.compile(r"(?P<keep>(?<!\w)(?:Basic|Bearer)\s{1,4})(?P<value>[^\s\"',;]{8,}+)", re.IGNORECASE)
_IDENTIFIED = regex.compile(
    r"(?P<keep>identified\s{1,4}(?:with\s{1,4}\w{1,60}\s{1,4})?by\s{1,4})(?P<value>\"[^\"]*+\"?|'[^']*+'?|\S++)",
    re.IGNORECASE,
)
_TOKEN = regex.compile(
    r"(?<![A-Za-z0-9])(?P<keep>)(?P<value>gh[pousr]_[A-Za-z0-9]{16,}+|github_pat_\w{20,}+|glpat-[\w-]{16,}+|xox[abeprs]-[\w-]{10,}+"
    r"|sk-[\w-]{16,}+|sk_live_\w{10,}+|(?:AKIA|ASIA|AROA)[A-Z0-9]{12,}+|AIza[\w-]{30,}+|ya29\.[\w.-]{20,}+|hvs\.[\w-]{20,}+"
    r"|eyJ[\w-]{8,}+\.[\w.-]{4,}+|npm_\w{30,}+|AGE-SECRET-KEY-[A-Z0-9]{20,}+|SG\.[\w-]{10,}+\.[\w-]{10,}+)"
)
_LONG = regex.compile(r"(?<![A-Za-z0-9+/=_.-])(?P<keep>)(?P<value>[A-Za-z0-9+/]{40,}+={0,2})(?![\w.-])")


def _sub(pattern: "re.Pattern[str]", text: str, hidden: Found | None) -> str:
    return pattern.sub(lambda seen: _hidden(seen, hidden), text)


def _hidden(seen: "re.Match[str]", hidden: Found | None) -> str:
    """Return what was seen with its value hidden, inside its quotes."""
    return seen[0][: seen.start("value") - seen.start()] + _kept_quotes(seen["value"], hidden)


def _kept_quotes(value: str, hidden: Found | None) -> str:
    mark = value[0] if value[0] in "\"'" else ""
    core = value[1:-1] if mark and len(value) > 1 and value.endswith(mark) else value[len(mark) :]
    if not core.strip("*"):
        return value
    if hidden is not None:
        hidden.add(core)
        if not mark and len(first := core.partition(":")[0]) > 4:
            hidden.add(first)  # rclone's `:sftp,pass=…:/path`
    return mark + HIDDEN + mark


def _header_hidden(seen: "re.Match[str]", hidden: Found | None) -> str:
    first, _, rest = seen["value"].partition(" ")
    if first.lower().strip(".,;)") in STATES or not seen["value"].strip("* "):
        return seen[0]
    shown = _hidden(seen, hidden)
    if hidden is not None and rest:
        hidden.update(word for word in (first, *rest.split()) if len(word) >= 8)
    return shown


def _hide_values(text: str, hidden: Found | None) -> str:
    """Hide what stands behind a telling name and `=` or `:`; names that tell nothing are passed over, not what follows them."""
    shown, at, value = [], 0, _VALUE
    for seen in _NAMED.finditer(text):
        if seen.start() < at or not is_secret_name(seen["name"]):
            continue
        what = value.match(text, seen.end())
        if what is None or not _is_a_value(seen, what, text):
            continue
        shown += [text[at : seen.end()], _kept_quotes(what[0], hidden)]
        at = what.end()
    return "".join((*shown, text[at:])) if shown else text


def _is_a_value(seen: "re.Match[str]", what: "re.Match[str]", text: str) -> bool:
    value = what[0].strip("\"'\\").lower()
    if not value.strip("*[{(") or value.strip(".,;)") in STATES:
        return False
    if ":" not in seen["keep"]:
        return True
    return value not in _HEADER_SCHEMES and not (seen["keep"].endswith(" ") and _in_a_sentence(seen, what, text))


def _in_a_sentence(seen: "re.Match[str]", what: "re.Match[str]", text: str) -> bool:
    """Whether the colon belongs to a sentence: "no password: file missing"; and not to a setting: "password: swordfish"."""
    word, end = what[0], what.end()
    if not (word.isalpha() and word.islower() and word.isascii()):
        return False
    before = text[max(seen.start() - 2, 0) : seen.start()]
    after = text[end : end + 3].lstrip(" ")
    in_words = before[-1:] == " " and before[:1].isalpha()
    return (in_words and (after[:1].isalpha() or word in ORDINARY)) or (word in ORDINARY and after[:1].isalpha())


def _option_hidden(seen: "re.Match[str]", hidden: Found | None) -> str:
    value = seen["value"].strip("\"'")
    if not is_secret_name(seen["name"]) or value.lower().strip(".,;)") in STATES or value in ("option", "options"):
        return seen[0]
    if value.startswith("-") and is_plain(value) and value.islower():
        return seen[0]  # the next option
    return _hidden(seen, hidden)


def _long_hidden(seen: "re.Match[str]", hidden: Found | None) -> str:
    value = seen["value"]
    mixed = any(map(str.isdigit, value)) and any(map(str.islower, value)) and any(map(str.isupper, value))
    return _hidden(seen, hidden) if mixed and changes(value) * 4 > len(value) else seen[0]


def _addresses(token: str, hidden: Found | None) -> str:
    """Hide the passwords of all addresses in one word that holds an `@`."""
    if "://" not in token and not token.startswith("//"):
        return _bare_login(token, hidden)
    shown, at = [], 0
    if token.startswith("//"):  # //user:password@host/share
        return _addresses("smb:" + token, hidden)[4:]
    while (mark := token.find("://", at)) >= 0 and (first := token.find("@", mark)) >= 0:
        following = token.find("://", first)
        end = token.rfind("@", mark, len(token) if following < 0 else following)
        shown += [token[at : mark + 3], _login_hidden(token[mark + 3 : end], hidden)]
        at = end
    return "".join((*shown, token[at:]))


def _login_hidden(login: str, hidden: Found | None) -> str:
    """Return what stands between `://` and `@` without its password: `user:***`; a lone token is one too."""
    user, colon, password = login.partition(":")
    if any(mark in user for mark in "/?") and is_plain(re.split("[/?]", user, maxsplit=1)[0]):
        return login  # the `@` stands in the path
    if not colon:
        fine = is_plain(user) and (len(user) < 16 or user.islower())
        return login if fine else _kept("", user, hidden)
    if not password or ("/" in password and _PORT.match(password)):
        return login
    return _kept(user + ":", password, hidden)


def _bare_login(token: str, hidden: Found | None) -> str:
    """Hide the password of `user:password@host`, which `sftp:` may stand before."""
    before, _, after = token.partition("@")
    start = before.rfind("=", 0, max(before.find(":"), 0)) + 1
    place = before[start:]
    while (part := place.partition(":"))[1] and part[0].lower() in _SCHEMES:
        start, place = start + len(part[0]) + 1, part[2]
    user, colon, password = place.partition(":")
    in_path = "/" in user or ("/" in password and all(map(is_plain, password.split("/"))))
    wrong = not colon or not password or in_path or not after[:1].strip("/.:,;@")
    if wrong or not user or any(char in user for char in "()[]{}|"):
        return token
    return _kept(before[:start] + user + ":", password, hidden) + "@" + after


_HEADER_SCHEMES = frozenset(("basic", "bearer", "token", "digest", "negotiate", "apikey", "key", "aws4-hmac-sha256"))
_SCHEMES = frozenset(
    ("sftp", "ssh", "scp", "rsync", "mailto", "rest", "http", "https", "s3", "b2", "gs", "rclone", "swift", "azure")
)


def _kept(before: str, secret: str, hidden: Found | None) -> str:
    if not secret.strip("*"):
        return before + secret
    if hidden is not None:
        hidden.add(secret)
        hidden.update(part for part in secret.split("@") if len(part) >= 6)
    return before + HIDDEN
