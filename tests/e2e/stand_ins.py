r"""Stand-ins with output that no engine here has: pieces of lines, unknown lines, other languages, long lines, sudden ends.

Each is a command and a Python script under the name of its program. `say` writes pieces one after the other, as slowly as it takes
to be seen half-way; `added` tells whether a flag of ours was given.
"""

from tray.core.dataclass import dataclass

BEGIN = """
import os, sys, time

def say(*pieces, to=1):
    for piece in pieces:
        os.write(to, piece)
        time.sleep(0.15)

def die():
    os.kill(os.getpid(), 9)

def added(word):
    if word in sys.argv:
        open("was-added", "w").close()
    return word in sys.argv

stats = added("--info=progress2,stats2")
totals = added("--totals")
json = added("--json") or added("--use-json-log")
figures = added("--print-statistics")
"""
RSYNC, TAR, RESTIC = "rsync -a a/ b/", "tar -cf a.tar a", "restic -r r backup a"
BORG, RCLONE, RDIFF = "borg create r::a a", "rclone copy a b", "rdiff-backup backup a b"


@dataclass(frozen=True)
class StandIn:
    """A program of ours under an engine's name.

    Attributes:
        name: Its behaviour in a few words.
        command: How it is called.
        script: The Python code after `BEGIN`.
        code: Its exit code; negative: the signal that kills it.
    """

    name: str
    command: str
    script: str
    code: int = 0


STAND_INS = (
    StandIn(
        "rsync has new lines in its statistics, which come in pieces",
        RSYNC,
        r"""
if stats:
    say(b"\n", b"Number of fi", b"les: 3 (reg: 2, dir: 1)\nNumber of 4 KiB logical blocks touched: 2\nNo figure", b" here\n")
    say(b"Total bytes received: 57\n", b"\n", b"sent 191 bytes  rec", b"eived 57 bytes  496.00 bytes/sec\n")
    say(b"total", b" size is 4  speedup is 0.02\n")
""",
    ),
    StandIn(
        "rsync speaks another language",
        RSYNC,
        r"""
if stats:
    say(b"\nAnzahl der ", b"Dateien: 3\n", b"\ngesendet 191 Byte  empf", b"angen 57 Byte  496 B/s\n", b"Umfang 4  Faktor 0,02\n")
""",
    ),
    StandIn(
        "rsync has an error among its statistics",
        RSYNC,
        r"""
if stats:
    say(b"\nNumber of files: 3\n", b"Literal ")
    say(b"data: 4 bytes\n")
say(b'rsync: [sender] read errors mapping "/x": Input/output error (5)\n')
if stats:
    say(b"Total bytes received: 57\n\n", b"sent 191 bytes  received 57 bytes  496.00 bytes/sec\n")
    say(b"total size is 4  speedup is 0.02\n")
say(b"rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1338) [sender=3.5.1]\n")
sys.exit(23)
""",
        23,
    ),
    StandIn(
        "rsync is killed in an update",
        RSYNC,
        r"""
if stats:
    say(b"\r         32,768   5%    1.20MB/s    0:00:01 ", b"\r        65,5")
die()
""",
        -9,
    ),
    StandIn(
        "rsync is killed in its statistics",
        RSYNC,
        r"""
if stats:
    say(b"\nNumber of files: 3\n", b"Number of")
die()
""",
        -9,
    ),
    StandIn(
        "tar writes its totals in pieces, behind words without an end",
        TAR,
        r"""
say(b"\rpv 5%", b"\rpv 10% ", to=2)
if totals:
    say(b"Total bytes written: ", b"10240 (10KiB, 1.0MiB/s)", b"\n", to=2)
""",
    ),
    StandIn(
        "tar does so in another language",
        TAR,
        r"""
say(b"\rpv 5%", b"\rpv 10% ", to=2)
if totals:
    say(b"Gesamtzahl geschriebener Bytes: ", b"10240 (10KiB, 1.0MiB/s)", b"\n", to=2)
""",
    ),
    StandIn(
        "tar says something after its totals",
        TAR,
        r"""
if totals:
    say(b"Gesamtzahl geschriebener Bytes: ", b"10240 (10KiB, ?/s)\ntar: Beende mit Fehlern", to=2)
else:
    say(b"tar: Beende mit Fehlern", to=2)
say(b"\n", to=2)
sys.exit(2)
""",
        2,
    ),
    StandIn(
        "tar is killed in its totals",
        TAR,
        r"""
if totals:
    say(b"Total bytes wri", to=2)
die()
""",
        -9,
    ),
    StandIn(
        "tar does not end its last lines",
        "tar -cvf a.tar a",
        r"""say(b"a/1\n", b"a/2"); say(b"tar: odd", to=2); totals""",
    ),
    StandIn(
        "tar says a line of 3 MiB",
        TAR,
        r"""
say(b"x" * 3 * 1024 * 1024, to=2)
if totals:
    say(b"Total bytes written: 10240 (10KiB, 1MiB/s)\n", to=2)
""",
    ),
    StandIn(
        "restic is killed in a message",
        RESTIC,
        r"""
if json:
    say(b'{"message_type":"status","perc', b'ent_done":0}\n{"message_ty', b'pe":"status","percent')
die()
""",
        -9,
    ),
    StandIn(
        "restic asks, and its messages follow in the same line",
        RESTIC,
        r"""
say(b"enter password for repository: ", to=2)
if json:
    say(b'{"message_type":"status","percent_done":0}\n{"message_ty', b'pe":"status"}\n', to=2)
say(b"Fatal: wrong password\n", to=2)
sys.exit(1)
""",
        1,
    ),
    StandIn(
        "rclone's helper does not end its line",
        RCLONE,
        r"""
say(b"Enter PIN> ", to=2)
if json:
    say(b'{"level":"error","msg":"no","ti', b'me":"2026-11-23T00:00:59.456Z"}', b"\n", to=2)
else:
    say(b"2026/11/23 00:00:59 ERROR : no\n", to=2)
sys.exit(1)
""",
        1,
    ),
    StandIn(
        "restic says braces that are no messages",
        RESTIC,
        r"""
say(b"{odd", b" words}\n", b"{more", to=2)
sys.exit(1)
""",
        1,
    ),
    StandIn(
        "rclone says a message of 3 MiB",
        RCLONE,
        r"""
text = b"x" * 3 * 1024 * 1024
if json:
    say(b'{"level":"err', b'or","msg":"', text, b'","time":"2026-11-23T00:00:59.456Z"}', b"\n", to=2)
else:
    say(b"2026/11/23 00:00:59 ERROR : " + text + b"\n", to=2)
sys.exit(1)
""",
        1,
    ),
    StandIn(
        "borg prints its document in pieces",
        BORG,
        r"""
if json:
    say(b'{\n    "archive": ', b'{\n        "name": "a",\n    ', b'    "stats": {}\n    },\n    "repository"', b": {}\n}\n")
""",
    ),
    StandIn(
        "borg is killed in its document",
        BORG,
        r"""
if json:
    say(b'{\n    "archive": ', b'{\n        "name": ')
die()
""",
        -9,
    ),
    StandIn(
        "rdiff-backup has new lines in its statistics, which come in pieces",
        RDIFF,
        r"""
say(b"NOTE: Starting\n")
if figures:
    say(b"--------------[ Session stat", b"istics ]--------------\nStartTime 1.00 (x)\nNew", b" words, no figure\n")
    say(b"Errors 0\n----", b"-" * 46 + b"\n")
""",
    ),
)
