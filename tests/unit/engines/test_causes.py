"""The right words: a place that cannot be reached is told as that, by every engine, and no remedy is offered that could harm."""

import re

import pytest

from tray import engines
from tray.core.model import Outcome
from tray.engines.base import Exit, Result, Stream
from tray.engines.causes import no_access

PREFIX = {
    "restic": "Fatal: unable to open config file: {0}\nIs there a repository at the following location?\nrest:http://h/r",
    "borg": "Remote: {0}\nConnection closed by remote host. Is borg working on the server?",
    "rclone": "2026/11/29 21:00:00 Failed to copy: {0}",
    "rsync": "{0}\nrsync error: unexplained error (code 255) at io.c(232) [sender=3.2.7]",
    "duplicity": "BackendException: {0}",
    "kopia": "error: unable to open repository: {0}",
    "dar": "FATAL error, aborting operation: {0}",
    "rdiff-backup": "ERROR: Couldn't start up remote connection: {0}",
}
COMMANDS = {
    "restic": "restic -r rest:http://h/r backup /home",
    "borg": "borg create --stats ssh://h/r::a /home",
    "rclone": "rclone copy /home r:x",
    "rsync": "rsync -a /home h:x",
    "duplicity": "duplicity backup /home sftp://h/x",
    "kopia": "kopia snapshot create /home",
    "dar": "dar -c sftp://h/x -R /home",
    "rdiff-backup": "rdiff-backup backup /home h::/x",
}
CODES = {"borg": 2, "rsync": 255, "duplicity": 50}
SAID = {
    "dial tcp: lookup h: no such host": "its name is not known",
    "ssh: Could not resolve hostname h: Name or service not known": "its name is not known",
    "[Errno -3] Temporary failure in name resolution": "its name is not known",
    "dial tcp 127.0.0.1:8000: connect: connection refused": "refused the connection",
    "ssh: connect to host h port 22: No route to host": "could not be reached",
    "connect: network is unreachable": "could not be reached",
    "dial tcp 10.0.0.1:443: i/o timeout": "did not answer in time",
    "context deadline exceeded (Client.Timeout exceeded while awaiting headers)": "did not answer in time",
    "x509: certificate has expired or is not yet valid": "expired",
    "x509: certificate signed by unknown authority": "not trusted",
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate": "not trusted",
    "Host key verification failed.": "does not know the host's key",
    "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @": "does not know the host's key",
    "u@h: Permission denied (publickey,password).": "ssh was not let in",
    "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none]": "ssh was not let in",
    "Stat: The specified bucket does not exist.": "bucket does not exist",
    "operation error S3: NoSuchBucket: gone": "bucket does not exist",
    "Stat: The access key ID you provided does not exist in our records.": "does not accept the access key",
    "SignatureDoesNotMatch: The request signature we calculated does not match": "does not accept the access key",
    "unexpected HTTP response (401): 401 Unauthorized": "refused (401)",
    "HTTP Error 403: Forbidden": "denied (403)",
    "AccessDenied: Access Denied": "denied (403)",
    "503 Service Unavailable": "trouble of its own",
    "read: connection reset by peer": "connection to the other side broke",
    "stat /mnt/r: transport endpoint is not connected": "gives errors",
    "open /mnt/r/config: input/output error": "gives errors",
    "mkdir /mnt/r: read-only file system": "read-only",
}
HARMFUL = re.compile(
    r"restic init|borg init|unlock|break-lock|--force|`rm |deletefile|resync|There is no \w+ repository"
)


def failed(name: str, said: str, code: int | None = None) -> Result:
    """Judge a run of an engine that failed with these words."""
    engine = engines.named(name)
    argv = COMMANDS[name].split()
    session = engine.session(engine.plan(argv, 0, {}))
    for line in PREFIX[name].format(said).splitlines(keepends=True):
        session.feed(line.encode() + b"\n", Stream.ERR)
    return session.conclude(Exit(CODES.get(name, 1) if code is None else code))


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(("said", "words"), SAID.items())
def test_a_place_that_cannot_be_used_is_told_as_what_it_is(name: str, said: str, words: str) -> None:
    """The cause comes before the remedy, and the remedy harms nothing."""
    found = failed(name, said)
    assert found.outcome is Outcome.FAILED
    assert words in found.reason, found.reason
    assert not HARMFUL.search(f"{found.reason} {found.advice}")


@pytest.mark.parametrize(
    ("said", "there"),
    [
        ("stat /mnt/r/config: no such file or directory", False),
        ("config file does not exist", False),
        ("unexpected HTTP response (404): 404 Not Found", False),
        ("open /mnt/r/config: permission denied", True),
        ("something that nobody has seen yet", True),
        ("ciphertext verification failed", True),
    ],
)
def test_restic_is_told_to_make_a_repository_only_where_none_is(said: str, *, there: bool) -> None:
    """`restic init` is named for an answer that there is no such file, and then only for a first backup."""
    found = failed("restic", said)
    assert ("restic init" in found.reason) != there
    assert there or "Only where there never was one" in found.reason


def test_restic_tells_by_its_exit_code_that_there_is_no_repository() -> None:
    """Since 0.17 its exit code 10 means just that, unless its words tell another cause."""
    assert "restic init" in failed("restic", "x", 10).reason
    assert "restic init" not in failed("restic", "connect: connection refused", 10).reason


def test_words_of_ssh_before_those_of_the_engine_count() -> None:
    """restic's own last word is only "EOF" where ssh told why."""
    engine = engines.named("restic")
    session = engine.session(engine.plan(["restic", "-r", "sftp:h:/r", "backup", "/home"], 0, {}))
    session.feed(b"subprocess ssh: u@h: Permission denied (publickey).\n", Stream.ERR)
    session.feed(
        b"Fatal: unable to open repository at sftp:h:/r: unable to start the sftp session, error: EOF\n", Stream.ERR
    )
    assert "ssh was not let in" in session.conclude(Exit(1)).reason


def test_ordinary_words_are_no_cause() -> None:
    """Numbers and names of files are not taken for answers of a server."""
    for said in (
        "401 files were copied",
        "/home/403/x: could not be read",
        "wrong password",
        "no space left on device",
    ):
        assert no_access(said) == ""
