"""A secret is hidden in whatever way it is spelt, and what is no secret stays readable."""

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.redact_spellings import (
    ENGINES,
    ENVIRONMENTS,
    HARMLESS,
    NUMBERED,
    OTHERS,
    OUTPUTS,
    PLACES,
    SHELL,
    WHERE_PASSWORDS_STAND,
    WORDS,
    lines,
)
from tray import engines
from tray.core.redact import HIDDEN, Redactor

SECRETS = (
    "S3cretAAA",
    "hunter2!Zq9w",
    "aB3dE6gH9jK2",
    "deadbeefcafe1234deadbeefcafe1234",
    "Äö9Kühlschrank!7",
    "xK92+mQ7.aB3d=",
)
COMMANDS = [*lines(ENGINES), *lines(OTHERS), *lines(SHELL)]
VARIABLES = ENVIRONMENTS.split()


def filled(template: str, secret: str) -> str:
    """Return a line of the tables with *secret* in its place."""
    return template.replace("{{", "{").replace("}}", "}").replace("{S}", secret)


def surfaces(argv: list[str], environ: dict[str, str], secret: str) -> dict[str, str]:
    """Return all that leaves the process about a command: by where it is shown."""
    redactor = Redactor(argv, environ)
    engine, at = engines.recognise(argv, environ)
    plan = engine.plan(argv, at, environ)
    shown = redactor.argv(argv)
    assert len(shown) == len(argv)
    return {
        "command": " ".join(shown),
        "again": " ".join(Redactor(shown, {}).argv(shown)),
        "output": redactor.text(f"Fatal: cannot log in with {secret}, giving up"),
        "command in the output": redactor.text(" ".join(argv)),
        "bytes": redactor.bytes(f"+ {' '.join(argv)}\n".encode()).decode(),
        "repository": plan.repository or "",
        "sources": " ".join(plan.sources),
        "apart": " ".join(plan.apart),
        "job": engines.job_name(
            engine.name, plan.repository, plan.sources, kind=plan.kind, folder="/srv", apart=plan.apart
        ),
        "unlock": engine.unlock(plan) or "",
    }


def test_the_tables_are_as_long_as_promised() -> None:
    """At least 158 spellings and 60 harmless commands."""
    assert len({*COMMANDS, *VARIABLES, *lines(OUTPUTS)}) >= 300
    assert len(set(lines(HARMLESS))) >= 75


@pytest.mark.parametrize("template", COMMANDS)
def test_no_surface_shows_a_secret_of_a_command_line(template: str) -> None:
    """Neither the command, nor output that repeats it, nor the names made of it."""
    for secret in SECRETS:
        argv = [filled(word, secret) for word in shlex.split(template)]
        shown = surfaces(argv, {}, secret)
        assert not [where for where, text in shown.items() if secret in text], shown
        assert shown["again"] == shown["command"]


@pytest.mark.parametrize("template", lines(WHERE_PASSWORDS_STAND))
@pytest.mark.parametrize("secret", ["gramufelonan", "swordfish48q"])
def test_a_password_that_looks_like_a_word_is_hidden_where_its_place_tells(template: str, secret: str) -> None:
    """Most passwords that people choose are no random letters."""
    argv = [filled(word, secret) for word in shlex.split(template)]
    assert secret not in " ".join(Redactor(argv, {}).argv(argv))
    assert secret not in Redactor(argv, {}).text(f"Fatal: {' '.join(argv)}")
    if "-oPassword" not in template:  # what stands in an option's value is known by its place only
        assert secret not in Redactor(argv, {}).text(f"Fatal: cannot log in with {secret}, giving up")


@pytest.mark.parametrize("template", [*lines(ENGINES), *lines(OTHERS)])
def test_what_is_masked_in_the_command_is_hidden_in_its_output(template: str) -> None:
    """Programs repeat their words in errors, which stand in the log and the entry: a mask in the command alone hides nothing."""
    argv = [filled(word, "swordfish48q") for word in shlex.split(template)]
    redactor = Redactor(argv, {})
    if "swordfish48q" not in " ".join(redactor.argv(argv)):
        assert "swordfish48q" not in redactor.text(f"Fatal: cannot use {' '.join(argv)}: refused")


@pytest.mark.parametrize("name", ["RESTIC_PASSWORD_COMMAND", "BORG_PASSCOMMAND"])
def test_words_that_a_password_command_prints_are_hidden(name: str) -> None:
    """Alone, not only together with the command."""
    redactor = Redactor(["restic", "backup", "/x"], {name: "echo gramufelonan"})
    assert redactor.text("nightly gramufelonan") == f"nightly {HIDDEN}"


@pytest.mark.parametrize("template", VARIABLES)
def test_no_surface_shows_a_secret_of_the_environment(template: str) -> None:
    """Also not one of a variable whose name does not tell that it holds a secret."""
    for secret in SECRETS:
        name, _, value = filled(template, secret).partition("=")
        shown = surfaces(["restic", "backup", "/home"], {name: value}, secret)
        assert not [where for where, text in shown.items() if secret in text], shown


@pytest.mark.parametrize("template", lines(OUTPUTS))
def test_a_secret_that_nobody_told_us_shows_by_its_place(template: str) -> None:
    """Programs print passwords that neither the command line nor the environment held."""
    redactor = Redactor((), {})
    for secret in SECRETS:
        shown = redactor.text(filled(template, secret))
        assert secret not in shown
        assert HIDDEN in shown
        assert redactor.text(shown) == shown


@pytest.mark.parametrize("command", lines(HARMLESS))
def test_harmless_commands_stay_readable(command: str) -> None:
    """A person recognises each word; nothing is blanked to be on the safe side."""
    argv = command.split() if "\\" in command else shlex.split(command)
    redactor = Redactor(argv, {"HOME": "/root", "USER": "root", "LANG": "en_US.UTF-8", "RESTIC_PASSWORD": "backup"})
    assert redactor.argv(argv) == argv
    assert not redactor.doubts
    assert (
        redactor.text(f"saved to /home by root: backup of {argv[0]} ok")
        == f"saved to /home by root: backup of {argv[0]} ok"
    )


@pytest.mark.parametrize("secret", WORDS.split())
def test_a_word_of_letters_and_digits_is_no_ordinary_one(secret: str) -> None:
    """`mytool upload hunter22 …`: nothing marks the password, so only what is known to be ordinary is shown."""
    for template in lines(PLACES):
        argv = [filled(word, secret) for word in shlex.split(template)]
        shown = Redactor(argv, {}).argv(argv)
        assert secret not in " ".join(shown), template
        assert shown[0] == argv[0]


@pytest.mark.parametrize("word", NUMBERED.split())
def test_a_name_with_a_number_stays_readable(word: str) -> None:
    """A machine, a disk, a version, a date: also in a command that the wrapper does not know."""
    for template in ("mytool upload {S} file", "mytool --where={S}", 'sh -c "mytool {S} /x"'):
        argv = [filled(part, word) for part in shlex.split(template)]
        assert Redactor(argv, {}).argv(argv) == argv


@pytest.mark.parametrize(
    "line",
    [
        "snapshot 5fa8c1b29d44 saved",
        "using parent snapshot 0123456789abcdef",
        "repository 3a1b2c4d opened (version 2, compression level auto)",
        "Files:        5307 new,     0 changed,     0 unmodified",
        "processed 5307 files, 1.720 GiB in 0:12",
        "enter password for repository:",
        "Fatal: wrong password or no key found",
        "no password: file missing",
        "Archive fingerprint: 9758c7db339a066360bffad17b2ffac4fb368c6722c0be3a47a7a9b631f06407",
        "Warning: Using a password on the command line interface can be insecure.",
        "mysqldump: Error: 'Access denied; you need PROCESS' (using password: YES)",
        "token: expired",
        "Authorization: failed",
        "/home/me/Geheim/passwords.kdbx",
        "/srv/git/objects/5f/a8c1b29d44e1f3b2a1c0d9e8f7a6b5c4d3e2f1",
        "copied me@work.example.org:/srv/mail to nas:/b",
        "2026-11-29T02:00:00Z host=nas01 user=root level=info msg=done",
        "basic functionality restored, bearer channel closed",
        "http://nas.local:8000/backup@home is up",
        "rclone: https://registry.npmjs.org/@scope/pkg",
        "Schlüssel gefunden, Kennwort akzeptiert",
    ],
)
def test_ordinary_output_is_not_blanked(line: str) -> None:
    """A log in which every other word is `***` helps no user."""
    environ = {
        "BORG_PASSPHRASE": "root",
        "RESTIC_PASSWORD": "password",
        "HOSTNAME": "nas01",
        "PIN": "1",
        "TOKEN": "home",
    }
    assert Redactor(["restic", "backup", "/home"], environ).text(line) == line


def test_a_password_that_is_an_ordinary_word_is_hidden_in_its_place_only() -> None:
    """Who blanks every "backup" makes the log unreadable, and tells what the password is."""
    redactor = Redactor(["mysqldump", "--password=backup", "db"], {"RESTIC_PASSWORD": "root"})
    assert redactor.argv(["mysqldump", "--password=backup", "db"]) == ["mysqldump", "--password=***", "db"]
    assert redactor.text("backup of root done, RESTIC_PASSWORD=root") == "backup of root done, RESTIC_PASSWORD=***"


def test_a_private_key_is_hidden_to_its_end() -> None:
    """Also where its end is cut off, and each of its lines where the environment held it."""
    body = "MIIEowIBAAKCAQEAx4UbaDzY5xjW6hc9jwN0mX33XpTDVW6WqHp9Zq3Rk2VYt8sS\nk1mV9Jd2PqA7bC8dE9fG0hI1jK2lM3nO4pQ5r\n"
    for kind in ("RSA ", "", "OPENSSH ", "EC ", "ENCRYPTED "):
        block = f"-----BEGIN {kind}PRIVATE KEY-----\n{body}-----END {kind}PRIVATE KEY-----\n"
        assert Redactor((), {}).text(f"a {block} b").replace("***", " ").split() == [
            "a",
            *f"-----BEGIN {kind}PRIVATE KEY-----".split(),
            *f"-----END {kind}PRIVATE KEY-----".split(),
            "b",
        ]
        assert "k1mV9" not in Redactor((), {}).text(f"a {block[:-40]}")
        known = Redactor((), {"DEPLOY": block})
        for line in body.splitlines():
            assert line not in known.text(f"> {line}")


@pytest.mark.parametrize(
    "token",
    [
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "glpat-aBcDeFgHiJkLmNoPqRsT",
        "xoxb-123456789012-abcdefABCDEF",
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZ",
        "sk-proj1234567890abcdefABCD",
    ],
)
def test_well_known_tokens_are_known_by_their_form(token: str) -> None:
    """A token that a program prints without any word before it."""
    assert Redactor((), {}).text(f"got {token}, next") == "got ***, next"


kinds = (
    st.sampled_from("abcdefghijkmnpqrstuvwxyz"),
    st.sampled_from("ABCDEFGHJKLMNPQRSTUVWXYZ"),
    st.sampled_from("23456789"),
)


@st.composite
def mixed_secrets(draw: st.DrawFn) -> str:
    """Return a secret of at least 8 characters in which small letters, capitals and digits follow each other without order."""
    rounds = draw(st.lists(st.permutations(kinds), min_size=3, max_size=12))
    core = "".join(draw(kind) for one in rounds for kind in one)
    return core + draw(st.sampled_from(("", "!", "+", "=", "?", "#", "-", "_x", "ß", "$")))


@given(mixed_secrets(), st.sampled_from(COMMANDS))
@settings(max_examples=400, deadline=None)
def test_a_random_secret_never_appears(secret: str, template: str) -> None:
    """In any spelling of a command."""
    argv = [filled(word, secret) for word in shlex.split(template)]
    shown = surfaces(argv, {}, secret)
    assert not [where for where, text in shown.items() if secret in text], (secret, shown)
    assert shown["again"] == shown["command"]


@given(mixed_secrets(), st.sampled_from(VARIABLES), st.sampled_from(lines(OUTPUTS)))
@settings(max_examples=200, deadline=None)
def test_a_random_secret_of_the_environment_never_appears(secret: str, template: str, printed: str) -> None:
    """Whatever a program prints of it."""
    name, _, value = filled(template, secret).partition("=")
    redactor = Redactor(["restic", "backup"], {name: value})
    line = filled(printed, secret)
    shown = redactor.text(line)
    assert secret not in shown
    assert redactor.text(shown) == shown


@given(st.text(max_size=200), st.lists(st.text(max_size=40), max_size=5))
@settings(max_examples=300, deadline=None)
def test_hiding_twice_changes_nothing_more(text: str, argv: list[str]) -> None:
    """Hiding a text again leaves it as it is, however often it passes."""
    redactor = Redactor(argv, {"TOKEN": "aB3dE6gH9jK2"})
    once = redactor.text(text)
    assert redactor.text(once) == once
    shown = redactor.argv(argv)
    assert [redactor.text(word) for word in shown] == shown
