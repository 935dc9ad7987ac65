"""The commands with which an engine proves that it can restore, and the output that they print (recorded from real runs)."""

import pytest

from tray import engines
from tray.engines import proving
from tray.engines.base import Wish
from tray.engines.borg.proving import BorgProver
from tray.engines.proving import ALL, PROVERS, Item, Prover, Way
from tray.engines.rclone.proving import RcloneProver
from tray.engines.restic.proving import ResticProver
from tray.engines.rsync.proving import RsyncProver
from tray.engines.tar.proving import TarProver

NODE = (
    b'{"name":"f[1]*.txt","type":"file","path":"/home/ann/a b/f[1]*.txt","uid":0,"gid":0,"size":3,"mode":420,'
    b'"permissions":"-rw-r--r--","mtime":"2026-11-30T08:36:08.541077075Z","atime":"2026-11-30T08:36:08.541077075Z",'
    b'"ctime":"2026-11-30T08:36:08.541077075Z","struct_type":"node"}\n'
)


def restic() -> ResticProver:
    """The prover of restic."""
    return ResticProver()


@pytest.mark.parametrize("name", PROVERS)
def test_each_prover_is_there_and_its_engine_is_built_in(name: str) -> None:
    """The list names what exists."""
    assert proving.prover(name) is not None
    assert engines.named(name).name == name


def test_no_other_engine_has_one() -> None:
    """Refused, with the way out, by the caller."""
    assert proving.prover("dar") is None
    assert proving.prover("../restic") is None


@pytest.mark.parametrize("name", PROVERS)
def test_no_secret_and_no_lock_is_in_a_command(name: str) -> None:
    """The address with its password is in the environment alone."""
    prover = proving.prover(name)
    assert prover is not None
    hidden = name not in ("rclone", "rsync", "tar")
    address = "ssh://ann:geheim@host/r" if hidden else "/r/home.tar" if name == "tar" else "nas:r"
    made = engines.named(name).backup_command(Wish(("/home/ann",), address, hidden=hidden))
    assert made is not None
    way = prover.way(made.argv, 0, made.env)
    assert (way.address, way.sources) == (address, ("/./home/ann",) if name in ("rsync", "tar") else ("/home/ann",))
    for argv in every_command(prover, way):
        assert "geheim" not in " ".join(argv)
        assert name in ("rsync", "tar") or {"--no-lock", "--bypass-lock", "--ask-password=false"} & set(argv)


def every_command(prover: Prover, way: Way) -> list[list[str]]:
    """Return every command of *prover*."""
    item = Item("/home/ann/a", 3)
    commands = [prover.check(way, None), prover.snapshots(way), prover.locks(way), prover.hashes(way, "s", [item])]
    commands += [prover.files(way, "s"), prover.restore(way, "s", [item], "/tmp/x")]
    return [command for command in commands if command is not None]


def test_restic_reads_nodes() -> None:
    """Regular files only, whose names are exact."""
    assert restic().read_file(NODE) == Item("/home/ann/a b/f[1]*.txt", 3, 1_796_027_768_541_077)
    assert restic().read_file(NODE.replace(b'"type":"file"', b'"type":"dir"')) is None
    assert restic().read_file(NODE.replace(b"ann", "\ufffd".encode())) is None
    assert restic().read_file(b'{"struct_type":"snapshot"}') is None
    assert restic().read_file(b'"file" is no node') is None


def test_restic_restores_a_name_with_special_characters() -> None:
    """As one name, not as a pattern."""
    argv = restic().restore(Way("restic"), "4f", [Item("/a b/f[1]*?\\.txt", 3)], "/tmp/x")
    assert argv == [
        "restic",
        "--no-lock",
        "restore",
        "4f",
        "--target=/tmp/x",
        "--verify",
        r"--include=/a b/f\[1]\*\?\\.txt",
    ]


@pytest.mark.parametrize(
    ("line", "files"),
    [
        (b"finished verifying 2 files in /tmp/x (took 1ms)\n", 2),
        (b"finished verifying 12 files in /tmp/x\n", 12),
        (b"verifying files in /tmp/x\n", None),
    ],
)
def test_restic_says_how_many_files_it_compared(line: bytes, files: int | None) -> None:
    """With the hashes in the snapshot."""
    assert restic().verified(line) == files


@pytest.mark.parametrize(
    ("asked", "word"),
    [(None, None), (ALL, "--read-data"), ("5%", "--read-data-subset=5%"), ("1/10", "--read-data-subset=1/10")],
)
def test_restic_reads_a_part_of_the_data(asked: str | None, word: str | None) -> None:
    """If that is wanted."""
    assert restic().check(Way("restic"), asked)[2:] == ["check", *([] if word is None else [word])]


def test_restic_refuses_an_unknown_part() -> None:
    """It never becomes an option of the command."""
    with pytest.raises(ValueError, match="5%"):
        restic().check(Way("restic"), "--repo=/x")


def test_restic_lists_snapshots() -> None:
    """null is an empty list."""
    known = restic().read_snapshots([{"id": "71ea", "time": "2026-11-30T08:36:10.483644129Z", "paths": ["/home/ann"]}])
    assert [(each.id, each.time_ms, each.sources) for each in known] == [("71ea", 1_796_027_770_483, ("/home/ann",))]
    assert restic().read_snapshots(None) == []


def test_restic_takes_the_way_from_a_backup_command() -> None:
    """Options for the connection are kept; address and password go into the environment."""
    argv = ["restic", "-r", "sftp:me@nas:/r", "-p", "/pw", "-o", "sftp.args=-p 22", "backup", "--tag", "x", "/home/ann"]
    way = restic().way(argv, 0, {"PATH": "/bin"})
    assert way == Way(
        "restic",
        ("--option=sftp.args=-p 22",),
        {"RESTIC_REPOSITORY": "sftp:me@nas:/r", "RESTIC_PASSWORD_FILE": "/pw"},
        ("/home/ann",),
        "sftp:me@nas:/r",
    )


def test_the_variables_of_env_count() -> None:
    """`env NAME=VALUE restic …` names the repository too."""
    argv = ["env", "RESTIC_REPOSITORY=/r", "restic", "backup", "/home/ann"]
    way = restic().way(argv, 2, {"PATH": "/bin"})
    assert (way.address, way.environ["RESTIC_REPOSITORY"], way.program) == ("/r", "/r", "restic")


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [("1970-01-01T00:00:01.5Z", 1_500_000), ("1970-01-01T00:00:00.000002", 2), ("", None), ("yesterday", None)],
)
def test_times_are_exact_to_the_microsecond(text: str, microseconds: int | None) -> None:
    """Without an offset they are UTC, which the commands run in."""
    assert proving.microseconds(text) == microseconds


def borg() -> BorgProver:
    """The prover of borg."""
    return BorgProver()


def test_borg_reads_files() -> None:
    """Regular files only, whose names are exact; times are UTC."""
    line = (
        b'{"type": "-", "mode": "-rw-r--r--", "path": "home/ann/a b", "healthy": true, "source": "", "linktarget": "",'
        b' "flags": 0, "size": 3, "ctime": "2026-11-30T08:36:08.541077"}\n'
    )
    assert borg().read_file(line) == Item("home/ann/a b", 3, 1_796_027_768_541_077)
    assert borg().read_file(line.replace(b'"-"', b'"d"')) is None
    assert borg().read_file(line.replace(b"a b", b"a\\udcff")) is None
    assert borg().read_file(b"no JSON") is None
    assert borg().source(Way("borg"), Item("home/ann/a b", 3)) == "/home/ann/a b"


def test_borg_reads_hashes() -> None:
    """By path."""
    assert borg().read_hash(b'{"type": "-", "path": "home/a", "sha256": "ab12"}') == ("home/a", "ab12")
    assert borg().read_hash(b"Warning") is None


def test_borg_lists_archives_with_their_sources() -> None:
    """From the command line that made them; one that another command made has none that are known."""
    archive = {
        "name": "one",
        "start": "2026-11-30T08:36:14.000000",
        "command_line": "/usr/bin/borg create /r::one '/a b' /c",
    }
    words = ["/usr/bin/borg", "create", "/r::one", "/a b", "/c"]
    assert borg().read_snapshots({"archives": [archive | {"command_line": words}]})[0].sources == ("/a b", "/c")
    others = [archive | {"command_line": line} for line in ("borg import-tar /r::one x.tar", "borg 'create", 7)]
    known = borg().read_snapshots({"archives": [archive, *others]})
    assert [each.sources for each in known] == [("/a b", "/c"), None, None, None]
    assert (known[0].id, known[0].time_ms) == ("one", 1_796_027_774_000)
    with pytest.raises(ValueError, match="no time"):
        borg().read_snapshots({"archives": [archive | {"start": "now"}]})


def test_borg_takes_the_way_from_a_create() -> None:
    """The repository goes into the environment, without the archive."""
    argv = ["borg", "--rsh", "ssh -p 22", "create", "--stats", "ssh://me@nas/r::{now}", "/home/ann"]
    way = borg().way(argv, 0, {})
    assert way == Way("borg", ("--rsh=ssh -p 22",), {"BORG_REPO": "ssh://me@nas/r"}, ("/home/ann",), "ssh://me@nas/r")


def test_borg_knows_no_parts_of_the_data() -> None:
    """All or none; anything else is refused."""
    assert borg().check(Way("borg"), ALL)[-1] == "--verify-data"
    with pytest.raises(ValueError, match="no parts"):
        borg().check(Way("borg"), "5%")


def rclone() -> RcloneProver:
    """The prover of rclone."""
    return RcloneProver()


def test_rclone_reads_a_list() -> None:
    """An object a line, with or without a comma."""
    line = b'{"Path":"a b/f","Name":"f","Size":3,"ModTime":"2026-11-30T09:14:34.6Z","IsDir":false}'
    assert rclone().read_file(line + b",\n") == rclone().read_file(line) == Item("a b/f", 3)
    assert [rclone().read_file(other) for other in (b"[", b"]", line.replace(b"a b", b"\xef\xbf\xbd"))] == [None] * 3


def test_rclone_takes_the_way_from_a_copy() -> None:
    """Options that lead to the remote become variables, which no list of processes shows; filters do not count."""
    argv = ["rclone", "sync", "--config", "/c", "--sftp-pass=geheim", "--max-age", "1d", "-v", "/home/ann", "nas:r"]
    way = rclone().way(argv, 0, {})
    assert way.environ == {"RCLONE_CONFIG": "/c", "RCLONE_SFTP_PASS": "geheim"}
    assert (way.sources, way.address) == (("/home/ann",), "nas:r")
    assert rclone().source(way, Item("a b/f", 3)) == "/home/ann/a b/f"
    restore = rclone().restore(way, "", [Item("a/{x}[1]", 3)], "/tmp/x")
    assert restore == ["rclone", "--ask-password=false", "copy", r"--include=/a/\{x\}\[1\]", "nas:r", "/tmp/x"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["rclone", "move", "/a", "nas:r"], "rclone copy"),
        (["rclone", "copy", "other:a", "nas:r"], "another machine"),
        (["rclone", "copy", "/a", ":sftp,host=h,pass=geheim:r"], "holds a password"),
    ],
)
def test_rclone_refuses_copies_without_a_source_to_compare(argv: list[str], words: str) -> None:
    """Honestly: nothing could be proven."""
    with pytest.raises(ValueError, match=words):
        rclone().way(argv, 0, {})


def test_rclone_has_no_check() -> None:
    """Nor can one read its data."""
    assert rclone().check(Way("rclone"), None) is None
    with pytest.raises(ValueError, match="no check"):
        rclone().check(Way("rclone"), ALL)


def rsync() -> RsyncProver:
    """The prover of rsync."""
    return RsyncProver()


@pytest.mark.parametrize(
    ("line", "item"),
    [
        (rb"-rw-r--r--              2 2026/11/30 11:26:38 a/f[1]*{x} y.txt", Item("a/f[1]*{x} y.txt", 2)),
        (rb"-rwsr-xr-t+     1,234,567 2026/11/30 11:26:38 b", Item("b", 1_234_567)),
        (rb"-rw-------              8 2026/11/30 11:26:38 d/back\slash", Item(r"d/back\slash", 8)),
        (rb"drwxr-xr-x          4,096 2026/11/30 11:26:38 d", None),
        (rb"lrwxrwxrwx              3 2026/11/30 11:26:38 l -> b", None),
        (rb"-rw-r--r--              1 2026/11/30 11:26:38 new\#012line", None),
        (b"-rw-r--r--              1 2026/11/30 11:26:38 \xff", None),
        (b"receiving file list ... done", None),
    ],
)
def test_rsync_reads_its_list(line: bytes, item: Item | None) -> None:
    """Regular files only, whose names are exact."""
    assert rsync().read_file(line + b"\n") == item


@pytest.mark.parametrize(
    ("words", "file", "source"),
    [
        (["-a", "/home/ann", "/c"], "ann/x", "/home/ann/x"),
        (["-a", "/home/ann/", "/c"], "x/y", "/home/ann/x/y"),
        (["-rt", "/home/ann/.", "/c"], "x", "/home/ann/x"),
        (["-aR", "/home/ann", "/c"], "home/ann/x", "/home/ann/x"),
        (["-aR", "/home/./.ann/", "/c"], ".ann/x", "/home/.ann/x"),
        (["-aR", "/home/ann/./", "/c"], "x", "/home/ann/x"),
        (["-a", "--files-from=/l", "/home/ann", "/c"], "x/y", "/home/ann/x/y"),
        (["-a", "/", "/c"], "etc/x", "/etc/x"),
        (["-a", "/home/ann", "/etc", "/c"], "etc/x", "/etc/x"),
        (["-a", "/home/ann", "/c"], "anna/x", None),
        (["-a", "/home/ann", "/srv/ann", "/c"], "ann/x", None),
    ],
)
def test_rsync_names_the_source_of_a_file(words: list[str], file: str, source: str | None) -> None:
    """None where two sources could be it, since only one of them came over."""
    way = rsync().way(["rsync", *words], 0, {})
    assert rsync().source(way, Item(file, 1)) == source


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["-a", "nas:/home", "/c"], "on another machine"),
        (["-a", "rsync://nas/home", "/c"], "on another machine"),
        (["-r", "/a", "/c"], "do not keep the times"),
        (["-a", "--no-times", "/a", "/c"], "do not keep the times"),
        (["-a", "--remove-source-files", "/a", "/c"], "in place"),
        (["-a", "--read-batch=/b", "/c"], "in place"),
        (["-a", "/a"], "in place"),
        (["-a", "/a", "rsync://ann:geheim@nas/c"], "holds a password"),
    ],
)
def test_a_copy_of_rsync_that_cannot_be_compared_says_why(words: list[str], why: str) -> None:
    """As the second half of a sentence."""
    with pytest.raises(ValueError, match=why):
        rsync().way(["rsync", *words], 0, {})


@pytest.mark.parametrize(
    ("address", "first"),
    [
        ("/c/", "/c/./a"),
        ("/", "/./a"),
        ("nas:", "nas:././a"),
        ("nas:c/", "nas:c/./a"),
        ("nas::m", "nas::m/./a"),
        ("rsync://nas/m/c", "rsync://nas/m/c/./a"),
    ],
)
def test_rsync_restores_from_every_kind_of_place(address: str, first: str) -> None:
    """Options for the connection are kept, names are words of their own."""
    way = rsync().way(["rsync", "-a", "-e", "ssh -p 22", "--password-file=/pw", "/a", address], 0, {})
    argv = rsync().restore(way, "", [Item("a", 1), Item("-b", 1)], "/tmp/x")
    assert argv[:3] == ["rsync", "--rsh=ssh -p 22", "--password-file=/pw"]
    assert argv[argv.index("--") + 1] == first
    assert argv[-1] == "/tmp/x/"
    assert ("-s" in argv) == (":" in address)


def tar() -> TarProver:
    """The prover of tar."""
    return TarProver()


@pytest.mark.parametrize(
    ("line", "item"),
    [
        (
            b"-rw-r--r-- 0/0               3 2026-11-30 12:16:11 home/ann/f[1]*{x} y.txt",
            Item("home/ann/f[1]*{x} y.txt", 3),
        ),
        (b"-rw-r--r--+ 1000/100  12345678 2026-11-30 12:16:11.123456789 ./a", Item("./a", 12_345_678)),
        (b"hrw-r--r-- 0/0               0 2026-11-30 12:16:11 a link to b", None),
        (b"lrwxrwxrwx 0/0               0 2026-11-30 12:16:11 l -> x", None),
        (b"drwxr-xr-x 0/0               0 2026-11-30 12:16:11 home/", None),
        (b"-rw-r--r-- 0/0               1 2026-11-30 12:16:11 new\\nline", None),
        (b"tar: Removing leading", None),
    ],
)
def test_tar_reads_its_list(line: bytes, item: Item | None) -> None:
    """Regular files only, whose names are exact."""
    assert tar().read_file(line + b"\n") == item


@pytest.mark.parametrize(
    ("words", "file", "source"),
    [
        (["czf", "/a.tgz", "/home/ann"], "home/ann/x", "/home/ann/x"),
        (["-cPf", "/a.tar", "/home/ann/"], "/home/ann/x", "/home/ann/x"),
        (["-cf", "/a.tar", "-C", "/home", "ann"], "ann/x", "/home/ann/x"),
        (["-cf", "/a.tar", "-C", "/home/ann", "."], "./x/y", "/home/ann/x/y"),
        (["-cf", "/a.tar", "-C", "/home", "ann", "-C", "/srv", "web"], "web/x", "/srv/web/x"),
        (["-cf", "/a.tar", "-C", "/home/ann/x", "../y"], "y/z", "/home/ann/y/z"),
        (["-cf", "/a.tar", "/home/ann"], "home/anna/x", None),
        (["-cf", "/a.tar", "-C", "/home", "ann", "-C", "/srv", "ann"], "ann/x", None),
    ],
)
def test_tar_names_the_source_of_a_member(words: list[str], file: str, source: str | None) -> None:
    """None where two sources could be it."""
    way = tar().way(["tar", *words], 0, {})
    assert tar().source(way, Item(file, 1)) == source


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["tar", "-c", "/home"], "not a file on this machine"),
        (["tar", "-cf", "-", "/home"], "not a file on this machine"),
        (["tar", "-cf", "nas:a.tar", "/home"], "not a file on this machine"),
        (["tar", "-rf", "/a.tar", "/home"], "makes anew"),
        (["tar", "-cf", "/a.tar", "-T", "/list"], "makes anew"),
        (["tar", "-cf", "/a.tar", "--transform=s/a/b/", "/home"], "makes anew"),
        (["tar", "-xf", "/a.tar"], "makes anew"),
        (["bsdtar", "-cf", "/a.tar", "/home"], "GNU tar"),
    ],
)
def test_an_archive_of_tar_that_cannot_be_compared_says_why(words: list[str], why: str) -> None:
    """As the second half of a sentence."""
    with pytest.raises(ValueError, match=why):
        tar().way(words, 0, {})
