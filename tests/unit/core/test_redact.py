"""No password leaves the process."""

import json
import shlex
import subprocess
import sys
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tray.core.redact import HIDDEN, Redactor, is_secret_name
from tray.core.redact.names import STATES
from tray.core.redact.plain import is_ordinary

SECRET = "hunter2-Zq-and-more"


@pytest.mark.parametrize(
    "argv",
    [
        f"restic -r rest:https://me:{SECRET}@host:8000/repo backup /home",
        f"restic -r sftp://me:{SECRET}@host:22//srv/repo backup /home",
        f"restic --repo=rest:http://:{SECRET}@host/ backup /home",
        f"restic -r rest:https://me:{SECRET}@{SECRET}@host/ backup",
        f"restic -o s3.secret-access-key={SECRET} backup",
        f"restic -o s3.access-key={SECRET} backup",
        f"restic --option=b2.account-key={SECRET} backup",
        f"restic --password-command {SECRET} backup",
        f"restic --password-command={SECRET} backup",
        f"env RESTIC_PASSWORD={SECRET} restic backup",
        f"sudo AWS_SECRET_ACCESS_KEY={SECRET},x restic backup",
        f"sh -c RESTIC_PASSWORD={SECRET}",
        f"rclone sync /a :sftp,host=h,user=u,pass={SECRET}:/b",
        f"rclone --sftp-pass {SECRET} sync a b",
        f"mysqldump -u root -p{SECRET} db",
        f"mysqldump --password={SECRET} db",
        f"nice mariadb-dump -p{SECRET} db",
        f"sshpass -p {SECRET} rsync a b",
        f"curl -u me:{SECRET} https://host/",
        f"curl https://host/?token={SECRET}&x=1",
        f"curl https://host/x?X-Amz-Signature={SECRET}",
        f"pg_dump postgresql://me:{SECRET}@host/db",
        f"mongodump --uri mongodb://me:{SECRET}@a,b/db",
        f"7z a -p{SECRET} x.7z /home",
        f"zip -r -P {SECRET} x.zip /home",
        f"gpg --passphrase {SECRET} -c x",
        f"openssl enc -pass pass:{SECRET} -in x",
        f"git clone https://{SECRET}@github.com/x/y",
        f"systemd-run --setenv=RESTIC_PASSWORD={SECRET} --scope restic backup",
        f"borg create --token={SECRET} ssh://u:{SECRET}@h/./r::a /x",
    ],
)
def test_secrets_of_a_command_line_are_hidden(argv: str) -> None:
    """Neither the command as shown nor any line that repeats the secret holds it."""
    words = argv.split()
    redactor = Redactor(words, {})
    assert SECRET not in " ".join(redactor.argv(words))
    assert SECRET not in redactor.text(argv)
    assert SECRET not in redactor.text(f"Fatal: cannot log in with {SECRET}, giving up")
    assert len(redactor.argv(words)) == len(words)


@pytest.mark.parametrize(
    "argv",
    [
        "restic -r sftp:user@host:/srv/repo backup /home --exclude *.tmp",
        "restic -r s3:https://s3.amazonaws.com/bucket backup --password-file /etc/restic/password /home",
        "restic -p /etc/pw --key-hint abc --tag nightly backup /home/me@work",
        "restic --insecure-no-password -r rest:http://host:8000/x@y backup a=b",
        "rsync -a /home backup@host:/srv",
        "borg create ssh://borg@host:22/./repo::name /home",
        "systemd-run --no-ask-password --scope -p MemoryMax=1G restic backup",
        "tar --exclude=token.txt -czf /mnt/keys/secret-santa.tar.gz /home/passwords",
    ],
)
def test_what_is_no_secret_stays_readable(argv: str) -> None:
    """A person still recognises the repository, the user, files and options."""
    words = argv.split()
    assert Redactor(words, {}).argv(words) == words


NAMES = """RESTIC_PASSWORD RESTIC_PASSWORD2 RESTIC_PASSWORD_COMMAND AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN B2_ACCOUNT_KEY
AZURE_ACCOUNT_KEY AZURE_ACCOUNT_SAS OS_PASSWORD ST_KEY_SECRET BORG_PASSPHRASE BORG_PASSCOMMAND PGPASSWORD MYSQL_PWD
RCLONE_CONFIG_PASS GITHUB_TOKEN X_API_KEY SMTP_PASS HC_SECRET password db.password RESTIC_REST_PASSWORD"""


@pytest.mark.parametrize(
    "folder", ["bt-8ayn1b7o", "3f2b9c1e-7d44-4a57-9c1f-0242ac120002", "sb09glsh", "tmp.Xk29fQz81L"]
)
@pytest.mark.parametrize("program", ["restic", "/tmp/{}/bin/restic", "pg_dump"])
def test_a_path_stays_whole_whatever_its_folders_are_called(program: str, folder: str) -> None:
    """Two disks with the same masked name would be one place: one job for two, and a repository that no user finds."""
    argv = [
        program.format(folder),
        "-f",
        f"/mnt/{folder}/repo",
        "backup",
        f"/run/media/ann/{folder}/x",
        f"nas:/vol/{folder}",
    ]
    redactor = Redactor(argv, {})
    assert redactor.argv(argv) == argv
    assert redactor.text(f"/mnt/{folder}/repo") == f"/mnt/{folder}/repo"
    assert redactor.doubts == ()


@pytest.mark.parametrize("name", NAMES.split())
def test_variables_whose_name_says_secret_are_hidden_everywhere(name: str) -> None:
    """A password in the environment may be printed by anything."""
    redactor = Redactor(["restic", "backup"], {name: SECRET})
    assert redactor.text(f"a {SECRET} b{SECRET}c") == f"a {HIDDEN} b{HIDDEN}c"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RESTIC_PASSWORD_FILE", "/etc/restic/pw"),
        ("PWD", "/home/me"),
        ("OLDPWD", "/home/me"),
        ("SSH_AUTH_SOCK", "/run/agent"),
        ("SSH_ASKPASS", "/usr/bin/askpass"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/etc/google.json"),
        ("PASSWORD_STORE_DIR", "/home/me/.store"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("RESTIC_REPOSITORY", "/mnt/backup"),
        ("HOME", "/home/me"),
        ("RESTIC_PASSWORD", ""),
    ],
)
def test_variables_that_are_no_secret_change_nothing(name: str, value: str) -> None:
    """Paths of password files and the like are worth reading."""
    text = f"saved {value} to /home/me false /mnt/backup"
    assert Redactor([], {name: value}).text(text) == text


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("parse rest:https://u:pw@h/: bad", "parse rest:https://u:***@h/: bad"),
        ("sftp:u:pw@h failed", "sftp:u:***@h failed"),
        ('{"password":"pw \\"x\\" y","a":"b"}', '{"password":"***","a":"b"}'),
        ('"token": "abc"', '"token": "***"'),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "Authorization: Basic ***"),
        ("authorization: bearer eyJhbGciOi.J9", "authorization: bearer ***"),
        ("GET /x?token=abc&y=1", "GET /x?token=***&y=1"),
        ("--password-command 'pass show x' -r y", "--password-command '***' -r y"),
        ("api_key=abc; x=1", "api_key=***; x=1"),
        ("Fatal: wrong password or no key found", "Fatal: wrong password or no key found"),
        ("no password: file missing", "no password: file missing"),
    ],
)
def test_secrets_are_known_by_their_place_too(printed: str, shown: str) -> None:
    """Engines print addresses and settings whose secrets the wrapper was not given."""
    redactor = Redactor([], {})
    assert redactor.text(printed) == shown
    assert redactor.text(shown) == shown


def test_a_short_secret_is_hidden_where_it_stands_alone() -> None:
    """A password of three letters must not make every log unreadable; one of one letter is hidden in its place only."""
    redactor = Redactor([], {"RESTIC_PASSWORD": "xq7"})
    assert redactor.text("xq7 maxq7 xq7,y") == "*** maxq7 ***,y"
    assert Redactor([], {"RESTIC_PASSWORD": "x"}).text("x max, RESTIC_PASSWORD=x") == "x max, RESTIC_PASSWORD=***"


def test_bytes_that_are_no_text_survive() -> None:
    """A log line is changed only where a secret stood."""
    redactor = Redactor([], {"RESTIC_PASSWORD": SECRET})
    assert redactor.bytes(b"\xff\xfe " + SECRET.encode() + b"\x00\n") == b"\xff\xfe ***\x00\n"


def test_a_secret_of_stranger_bytes_is_hidden_in_every_decoding() -> None:
    """Bytes that are no UTF-8 reach the log in another form than they have in the environment."""
    secret = b"p\xffss\xfeword".decode("utf-8", "surrogateescape")
    redactor = Redactor([], {"RESTIC_PASSWORD": secret})
    raw = secret.encode("utf-8", "surrogateescape")
    assert redactor.bytes(raw) == b"***"
    for errors in ("replace", "backslashreplace", "surrogateescape"):
        assert redactor.text(f"a {raw.decode('utf-8', errors)} b") == "a *** b"


def test_names_decide() -> None:
    """The rule for variables, options and keys is one."""
    assert is_secret_name("--s3-secret-access-key")
    assert is_secret_name("db.pass")
    assert not is_secret_name("--no-password")
    assert not is_secret_name("--password-stdin")
    assert not is_secret_name("compass")
    assert not is_secret_name("keyboard")


secrets = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=4, max_size=40)
    .map(str.strip)
    .filter(
        lambda text: (
            len(text) >= 4
            and text.strip("*")
            and not is_ordinary(text)
            and text.lower() not in STATES
            and not text.startswith("$")
            and not text.startswith("cat ")
        )
    )
)


def _holds(text: str, secret: str) -> bool:
    """Whether the secret is in *text*, apart from what the marks themselves hold."""
    return secret in text and secret not in HIDDEN * 3


@given(secrets, st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_a_known_secret_never_passes(secret: str, before: str, after: str) -> None:
    """In whatever text, form or stream it stands."""
    command = ["restic", "--password-command", secret, "backup"]
    redactor = Redactor(command, {"RESTIC_PASSWORD": secret})
    forms = [
        secret,
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        quote(secret, safe=""),
        shlex.quote(secret),
    ]
    for form in (*forms, f"rest:https://u:{quote(secret, safe='')}@h/"):
        core = form.strip("\"'")
        assume(core not in f"{before}  {after}")
        text = f"{before} {form} {after}"
        raw = redactor.bytes(text.encode("utf-8", "surrogateescape"))
        for shown in (redactor.text(text), raw.decode("utf-8", "surrogateescape")):
            assert not _holds(shown, secret)
            assert not _holds(shown, core)
    assert redactor.argv(command)[2] == HIDDEN


anything = st.text(st.characters(exclude_categories=[]), max_size=10)  # lone surrogates too


@given(anything, st.lists(anything, max_size=4), st.dictionaries(anything | st.just("PASSWORD"), anything))
@settings(max_examples=300, deadline=None)
def test_hiding_never_raises(text: str, argv: list[str], environ: dict[str, str]) -> None:
    """A redactor takes any command, environment and text."""
    redactor = Redactor(argv, environ)
    assert isinstance(redactor.text(text), str)
    assert len(redactor.argv(argv)) == len(argv)


HOSTILE = """
@x://y: aaa pass= pass @ a:b@c = token:v --password Bearer "password":"pw" :// ://a:b@ aB3 AKIA eyJ. a. - ' \" \\ password: x:y@
-----BEGIN /a=b@ key.b-c- $( ${ `a` {" %41 a,b:c@d;
"""


@pytest.mark.process
def test_the_longest_lines_are_redacted_in_one_go() -> None:
    """A line of a megabyte must not hold up the end of a backup, and an argument of another user not the tracker.

    Where the cost grows with the square of the length each of these takes an hour, and the process is ended.
    """
    ask = (
        "import json, sys; from tray.core.redact import Redactor; units = json.loads(sys.stdin.read())\n"
        "for unit in units:\n"
        "    for text in ('@' + unit * (1_048_576 // len(unit)), (unit + ' ') * (524_288 // len(unit))):\n"
        "        argv = ['restic', '--foo', text[:65_536], text[:20_000], 'sh -c ' + text[:20_000]]\n"
        "        known = Redactor(argv, {'X': text[:65_536]})\n"
        "        known.text(text), known.argv(['a', text])\n"
        "print('done')"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask], input=json.dumps(HOSTILE.split()), capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == "done", done.stderr[-2000:]
