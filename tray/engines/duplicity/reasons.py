"""Why a duplicity run failed, in plain words with a next step."""

import re

from tray.engines.access import ACCESS
from tray.engines.findings import causes

CAUSES = causes(
    (
        (
            r"[Nn]o space left on device|disk quota exceeded|(?i:temp space has)",
            "There is no space left on the device; free some where the backup is written, or in the temporary folder.",
        ),
        *ACCESS,
        (
            r"(?:[Ss]ource directory|Argument source_path) '?(.+?)'? does not exist",
            "The source {1} does not exist, so nothing was backed up; check its path, and whether its disk is mounted.",
        ),
        (
            r"Another (?:duplicity )?instance is already running",
            "Another duplicity is working with the same archive folder; wait until it ends, then run the backup again.",
        ),
        (
            r"PASSPHRASE|getpass|EOFError|passphrase.*(?:required|missing)|(?i:bad|wrong) passphrase|Bad session key",
            "The passphrase is missing or wrong; give it in the variable PASSPHRASE, or use `--no-encryption`.",
        ),
        (
            r"gpg: (.*[Nn]o (?:public|secret) key)|(?:No|no) secret key",
            "GnuPG has no such key ({1}); check `--encrypt-key` and whether the key is in this user's keyring.",
        ),
        (r"GPGError|GPG Failed", "GnuPG failed; its own words are in the log of this run."),
        (
            r"[Oo]ld signatures not found and incremental specified",
            "There is no full backup at this address to build upon; make one with `duplicity full`.",
        ),
        (
            r"Restore destination directory (.+) already exists",
            "The folder {1} exists already and nothing was overwritten; restore to another one, or add `--force`.",
        ),
        (
            r"(?:FileNotFoundError|No such file or directory)",
            "The place for the backup does not exist; check the address, and whether its disk is mounted.",
        ),
        (
            r"PermissionError|Permission denied",
            "duplicity may not write there; check who owns the place for the backup.",
        ),
        (
            r"BackendException: (.+)",
            "The place for the backup could not be used: {1}. Check the address, the network and the login.",
        ),
        (
            r"duplicity: error: (.+)|Command ?[Ll]ine ?[Ee]rror: (.+)",
            "duplicity did not understand its command line: {1}{2}.",
        ),
    )
)
_RUNNING = re.compile(r"Another (?:duplicity )?instance is already running")


def advice(text: str) -> str | None:
    """Return what to do about a lock that duplicity met: wait, since it goes with its process.

    duplicity itself says which file may be removed. But with that gone a second run destroys what the first one is writing.
    """
    if not _RUNNING.search(text):
        return None
    if "lockfile.lock" in text:  # before 0.7.18 the lock is a file that a crash leaves behind
        return "Wait until the other duplicity ends. If none is running for certain, the log of this run names its lock file."
    return "Wait until the other duplicity ends; its lock goes with it."
