"""A view of the file system of one's own, for tests that mount."""

from pathlib import Path


def unshare() -> list[str]:
    """Return the command that gives another command mounts of its own.

    In a chroot "/" is no mount, and `unshare` refuses to make it private; there it is told to leave that as it is.
    """
    roots = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return ["unshare", "--mount"] if "/" in roots else ["unshare", "--mount", "--propagation", "unchanged"]
