"""Read why runs fail from tables of causes: those of each engine, and those of a destination that cannot be reached.

A table has lines with expressions for an engine's words and then, indented, the sentence for the user: the cause first and then the
step that helps. No remedy changes anything in the repository: a server that is down, or a key that is refused, says nothing about
its content.
"""

import re
from functools import cache, partial

from tray.core import regex

Causes = tuple[tuple["re.Pattern[str]", str], ...]
"""Expressions and their sentences, the most telling first.

In a sentence `{1}` is the first group of the expression, and `{1|nothing}` is "nothing" where the group is empty.
"""

_MARK = regex.compile(r"\{(\d)(?:\|([^}]*))?\}")
_ACCESS = r"""
could not resolve|no such host|name or service not known|name resolution|nodename nor servname|getaddrinfo|unknown host
name does not resolve|server misbehaving
    The other side could not be reached: its name is not known; check the address, the network and the name server.
connection refused|actively refused
    The other side could not be reached: it refused the connection; check whether its service runs, and the port.
network is unreachable|no route to host|host is down|network is down
    The other side could not be reached; check the network, and whether it is up.
i/o timeout|(?:connection|operation|request|read) timed out|deadline exceeded|handshake timeout|client\.timeout|timed out while
connect timeout
    The other side could not be reached: it did not answer in time; check the network, and whether it is up.
certificate (?:has expired|is not yet valid|expired)|certificate_verify_failed.{0,200}expired
    The certificate of the other side has expired or is not valid yet; renew it there, and check the clock here.
x509:|certificate[ _]verify[ _]failed|unable to get local issuer|self[- ]signed certificate|certificate (?:is|was) not valid
tls: failed to verify|certificate is not trusted
    The certificate of the other side is not trusted; check the address, and whether its certificate is the right one.
remote host identification has changed|host key verification failed|host key mismatch|knownhosts: key
host key (?:is )?(?:unknown|not found|has changed)|no hostkey alg
    ssh does not know the host's key, or it has changed; compare it with the server's own before you accept it.
permission denied \((?:publickey|password|keyboard|gssapi)|ssh: unable to authenticate|ssh: handshake failed
too many authentication failures|authentication failed|permission denied, please try again
    The login was refused: ssh was not let in; check the key and the user name with ssh by hand.
nosuchbucket|bucket (?:\S{1,200} )?(?:does not|doesn't) exist|no such bucket
    The bucket does not exist; check its name, the region and the account.
invalidaccesskeyid|access key id you provided|signaturedoesnotmatch|signature (?:we calculated )?does not match|expiredtoken
invalidtoken|requesttimetooskewed|no valid credentials|nocredentialproviders
    The login was refused: the storage does not accept the access key; check key, secret and region, and the clock.
\b401\b.{0,20}unauthori[sz]ed|\(401\)|\bstatus(?: code)?:? 401\b|http(?:/[\d.]{1,4})?(?: error)?:? 401\b|unauthori[sz]ed\b
invalid_grant|token (?:has been |is )?expired|couldn't fetch token|invalid credentials
    The login was refused (401): the other side does not accept user, password or token; check them.
\b403\b.{0,20}forbidden|\(403\)|\bstatus(?: code)?:? 403\b|http(?:/[\d.]{1,4})?(?: error)?:? 403\b|accessdenied|access denied
insufficient ?permissions
    Access was denied (403): the other side knows the login but does not allow this; check its rights there.
\b5\d\d (?:internal server error|bad gateway|service unavailable|gateway time-?out)|\bslowdown\b|\b429\b.{0,20}too many
too many requests
    The other side has trouble of its own (its server answered with an error); try again later, and look at its state.
connection (?:was )?reset|broken pipe|connection lost|unexpected eof|connection closed by|remote side unexpectedly
    The connection to the other side broke; check the network, then run the backup again.
transport endpoint is not connected|stale (?:nfs )?file handle|input/output error|structure needs cleaning
    The disk or share of the backup gives errors; check it, and look into the system's log, before anything is written.
read-only file system
    The backup's disk is mounted read-only; the system does that after errors, so check the disk.
"""
"""The words of ssh, TLS, HTTP, S3 and the system, in upper or lower case."""


def causes(table: str) -> Causes:
    """Return the causes of a table, the most telling first.

    The line `<access>` stands for all causes why a destination cannot be reached. A line `[LockTimeout|exit code 70]` matches a
    line of facts that an engine adds to its complaints.
    """
    before, access, after = table.partition("<access>\n")
    common = [(f"(?i){pattern}", words) for pattern, words in _rows(_ACCESS)] if access else []
    rows = (*_rows(before), *common, *_rows(after))
    return tuple((regex.compile(pattern, re.MULTILINE), words) for pattern, words in rows)


def _rows(table: str) -> list[tuple[str, str]]:
    rows: list[tuple[list[str], list[str]]] = []
    for line in filter(None, table.splitlines()):
        if line.startswith(" "):
            rows[-1][1].append(line.strip())
            continue
        if not rows or rows[-1][1]:
            rows.append(([], []))
        facts = line.startswith("[") and line.endswith("]")
        rows[-1][0].append(rf"^\[(?:{line[1:-1]})\]$" if facts else line)
    return [("|".join(patterns), " ".join(words)) for patterns, words in rows]


def reason(text: str, causes: Causes) -> str:
    """Return one sentence why a run failed, "" if the cause is not known."""
    for pattern, words in causes:
        if match := pattern.search(text):
            return _MARK.sub(partial(_group, match), words)
    return ""


def _group(match: "re.Match[str]", mark: "re.Match[str]") -> str:
    number = int(mark[1])
    text = match[number] if number <= match.re.groups else ""
    return (text or mark[2] or "").strip("\n")[:300]


@cache
def _no_access() -> Causes:
    return causes("<access>\n")  # few runs fail, so a start does not compile this


def no_access(text: str) -> str:
    """Return why a destination cannot be reached or used, "" if *text* tells no such cause."""
    return reason(text, _no_access())
