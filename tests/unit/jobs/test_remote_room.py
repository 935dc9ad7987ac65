"""Room at an address: as sftp and rclone print it."""

from collections.abc import Mapping, Sequence

import pytest

from tray.jobs import remote_room

SFTP = """sftp> -df "/srv/backup"
Couldn't statvfs: No such file or directory
sftp> -df "/srv"
        Size         Used        Avail       (root)    %Capacity
   122839060     99990592     16569756     22848468          81%
sftp> -df "/"
        Size         Used        Avail       (root)    %Capacity
         100           50            7           50          50%
"""


class Told:
    """Answers each command with the next of *answers*, and remembers it."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.seen: list[tuple[list[str], bytes]] = []

    def __call__(self, argv: Sequence[str], _: Mapping[str, str], typed: bytes) -> tuple[int, str, str]:
        """Answer."""
        self.seen.append((list(argv), typed))
        code, out = self.answers.pop(0)
        return code, out, ""


@pytest.mark.parametrize(
    ("address", "host", "port", "first"),
    [
        ("sftp:me@nas:/srv/backup", "me@nas", None, b'-df "/srv/backup"\n-df "/srv"\n-df "/"\n'),
        ("sftp:nas:backup", "nas", None, b'-df "backup"\n-df "."\n'),
        ("sftp:nas:", "nas", None, b'-df "."\n'),
        ("sftp://me@nas:2222/a*b", "me@nas", "2222", b'-df "a\\*b"\n-df "."\n'),
    ],
)
def test_the_server_is_asked_about_the_nearest_folder_that_exists(
    address: str, host: str, port: str | None, first: bytes
) -> None:
    """The first figures count; root's own share of the disk does not."""
    told = Told((0, SFTP))
    assert remote_room.free(address, {}, told) == 16569756 * 1024
    ((argv, typed),) = told.seen
    assert (argv[-1], typed) == (host, first)
    assert argv[-3:-2] == ([port] if port else ["ssh"])


def test_a_server_that_does_not_tell_leaves_it_unknown() -> None:
    """No figure is invented."""
    assert (
        remote_room.free("sftp:nas:/x", {}, Told((1, "Server does not support statvfs@openssh.com extension\n")))
        is None
    )


def test_rclone_is_asked_about_the_folder_and_then_about_the_whole_remote() -> None:
    """Some remotes know no folder that is not there yet, and some know nothing of their room."""
    told = Told((3, ""), (3, ""), (0, '{"total": 10, "free": 5}'))
    assert remote_room.free("rclone:drive:a/b", {}, told) == 5
    assert [argv[-1] for argv, _ in told.seen] == ["drive:a/b", "drive:a", "drive:"]
    assert remote_room.free("rclone:drive:", {}, Told((0, '{"used": 10}'))) is None
    assert remote_room.free("rclone:drive:", {}, Told((0, "about is not supported"))) is None


@pytest.mark.parametrize("address", ["s3:s3.amazonaws.com/b", "rest:http://nas:8000/", "b2:bucket:path"])
def test_other_protocols_are_not_asked(address: str) -> None:
    """They have no word for it."""
    assert remote_room.free(address, {}, Told()) is None


def test_a_program_that_is_missing_leaves_it_unknown() -> None:
    """The reach of the address was asked before."""

    def missing(argv: Sequence[str], _: Mapping[str, str], __: bytes) -> tuple[int, str, str]:
        raise FileNotFoundError(2, "No such file or directory", argv[0])

    assert remote_room.free("sftp:nas:/x", {}, missing) is None
