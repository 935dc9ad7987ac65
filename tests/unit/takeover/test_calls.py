from hypothesis import given
from hypothesis import strategies as st

from tray.takeover import toolbox
from tray.takeover.calls import Budget, Call, Reader, is_shell
from tray.takeover.shell import UNKNOWN, Shell

ENV = "export RESTIC_REPOSITORY=/mnt/b\nWHERE=/srv\n"
NIGHT = """#!/bin/bash
set -eu
. /etc/env
unset NOTHING
backup() {
    restic backup "$1"
}
if mountpoint -q /mnt; then
    cd "$WHERE" && nice restic backup . | tee log
else
    exit 1
fi
for host in a b; do rsync -a "$host:/" "/y/$host"; done
sh -c "borg create /mnt/c::x /etc"
"""
LOOP = "#!/bin/sh\n/bin/loop\n. /bin/loop\nrestic backup /x\n"
FILES = {"/etc/env": ENV, "/bin/night": NIGHT, "/bin/loop": LOOP, "/usr/bin/named": "#!/bin/sh\nrestic backup /z\n"}


def calls(text: str, files: dict[str, str] = FILES, budget: Budget | None = None) -> tuple[list[Call], Reader]:
    """The calls of engines and tools in *text*, with the reader."""
    reader = Reader(files.get, toolbox.understood, budget=budget or Budget())
    shell = Shell({"HOME": "/home/ann", "PATH": "/usr/bin:/bin"}, "/home/ann", "web1", "ann", 1.8e9)
    return [call for call in reader.calls(text, shell) if toolbox.understood(call.argv)], reader


def test_a_script_is_followed() -> None:
    """Settings from a file, folders, both sides of a condition, functions, loops, and text for a shell."""
    entries, reader = calls("/bin/night --now")
    assert [(call.argv, call.folder) for call in entries] == [
        (("restic", "backup", "--now"), "/home/ann"),
        (("nice", "restic", "backup", "."), "/srv"),
        (("rsync", "-a", f"{UNKNOWN}:/", f"/y/{UNKNOWN}"), "/srv"),
        (("borg", "create", "/mnt/c::x", "/etc"), "/srv"),
    ]
    assert {call.environ["RESTIC_REPOSITORY"] for call in entries} == {"/mnt/b"}
    assert {call.at for call in entries} == {0}, "our prefix goes before the script"
    assert (reader.scripts, reader.notes) == (["/bin/night"], [])


def test_a_script_that_calls_itself_ends() -> None:
    """It is read once, and not for ever."""
    entries, _ = calls("/bin/loop")
    assert 1 <= len(entries) <= 10


def test_a_script_may_be_handed_to_a_shell() -> None:
    """With the shell's own options before it."""
    entries, _ = calls("bash -e -u /bin/night --now")
    assert len(entries) == 4
    assert entries[0].argv == ("restic", "backup", "--now")


def test_a_name_in_path_is_followed() -> None:
    """Cron finds it in PATH, and so does the search."""
    entries, _ = calls("named >/dev/null")
    assert [call.argv for call in entries] == [("restic", "backup", "/z")]


def test_an_unknown_program_may_hand_on_a_command() -> None:
    """Two dashes end its own options; our prefix goes before it."""
    entries, _ = calls("runitor -uuid x -- nice restic backup /x && wait-online -- echo done")
    assert [(call.argv, call.at) for call in entries] == [(("nice", "restic", "backup", "/x"), 0)]


def test_su_is_another_user() -> None:
    """Its engine's runs are that user's."""
    entries, _ = calls("su - bob -c 'restic backup /x'; runuser -c 'restic backup /y' bob; su -c 'restic backup /z'")
    assert [call.argv[:3] for call in entries] == [("sudo", "-u", "bob")] * 2 + [("sudo", "-u", "root")]


def test_a_missing_settings_file_is_said() -> None:
    """Its variables are not known then."""
    _, reader = calls(". /etc/gone; restic backup /x")
    assert "/etc/gone" in reader.notes[0]


def test_work_has_an_end() -> None:
    """A schedule of thousands of commands, or thousands of schedules, do not keep the user waiting."""
    entries, reader = calls("restic backup /x\n" * 5000)
    assert len(entries) == 400
    assert "too many commands" in reader.notes[0]
    entries, reader = calls("restic backup /x\n" * 100, budget=Budget(10))
    assert len(entries) == 10


def test_scripts_of_shells_are_told_by_their_first_line() -> None:
    """A Python program is not read as shell text."""
    assert is_shell("#!/bin/sh -e\n")
    assert is_shell("#!/usr/bin/env bash\n")
    assert not is_shell("#!/usr/bin/python3\n")
    assert not is_shell("restic backup /x\n")


TEXT = st.text(alphabet="ab$(){}'\"`\\;&|<>\n#=~*/. ", max_size=60)


@given(TEXT, TEXT)
def test_no_text_fails(text: str, script: str) -> None:
    """Whatever a crontab or a script holds, the search goes on."""
    calls(text + " /bin/s", {"/bin/s": f"#!/bin/sh\n{script}", "/usr/bin/a": f"#!/bin/sh\n{text}"})


def test_scripts_that_read_themselves_have_an_end() -> None:
    """A script that sources itself a hundred times, five deep, would be read 10,000,000,000 times."""
    text = ". /etc/self\n" * 100 + "restic backup /x"
    _, reader = calls(text, {"/etc/self": text})
    assert any("too many commands" in note for note in reader.notes)
    long = ". /etc/long\n" + "A=1\n" * 30_000
    _, reader = calls(". /etc/long\n" * 300, {"/etc/long": long})
    assert any("too much text" in note for note in reader.notes)
