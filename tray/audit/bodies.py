"""How bodies lie in the database: deflated, since one is much like the next. What is hashed is the plain body.

A stored body that begins with `{` is plain: canonical JSON. One that begins with the byte 1 is a raw deflate stream (RFC 1951) made
with the preset dictionary below; anything else is damage. What SQL itself must read (`PLAIN`) is stored plain.
"""

import zlib

from tray.audit.entry import MAX_BODY, Action

PLAIN = frozenset(
    {Action.KEY_CREATED, Action.KEY_ROTATED, Action.AUDIT_REDACTED, Action.AUDIT_PRUNED, Action.AUDIT_ROTATED}
)
"""Actions whose bodies are never deflated: triggers read them, or a verification that knows no dictionary needs them."""

_MARK = b"\x01"
_RAW = -15
"""A raw deflate stream with any window."""
_SHORT = -12
"""With a window that holds dictionary and a short body: made in a quarter of the time."""

DICTIONARY = (
    b'{"change":"job added","facts":{"code":"ERROR_","next":"Run `backup-tray doctor`","what":"The repository cannot '
    b'be read.","why":"Fatal: unable to open repository at permission denied no such file or directory connection '
    b'refused timed out wrong password or no key found repository is already locked by PID on host",'
    b'"problems":[{"item":"/home/","message":"lstat open read: input/output error"}],"Some files could not be read; '
    b'the snapshot is not complete. The repository is locked by another process.","advice":"",'
    b'"steps":[{"name":"forget","prune","check","init","restore","outcome":"failed","warning","exit_code":1,'
    b'"duration_ms":"reason":"The backup failed; it said: Fatal: cancelled by","signal":15,"from":"tray","window",'
    b'"cli","user":"root"},"baselines":["entries":"root":"why":"Every entry is as it was signed, and the baseline '
    b'agrees.","kind":null,"first_bad":null,"notes":["format":"csv","pdf",'
    b'"digest":"range":"filter":"duration_ms":"evidence":{"end":"not seen","exit_code":null,'
    b'"noticed_at":"2025-01-01T","pid":"process_start":"repository":"new snapshot at ","signal":null,"start":"seen in '
    b'the process list","uid":1000},"/srv/backup/","/mnt/backup/","/media/","/run/media/","sftp:","rest:https://",'
    b'"s3:https://","b2:","rclone:","/etc","/var/lib","/usr/local","/opt","/root","/boot","/data","borg","create",'
    b'"--stats","--list","--progress","--compression","zstd","::","rsync","-aHAX","--delete","--info=progress2",'
    b'"rclone","sync","copy","duplicity","kopia","snapshot","--tag","--exclude","--exclude-file","--password-file",'
    b'"--password-command","--one-file-system","--verbose","-v","--repo","sudo",.local/share/.cache/Documents '
    b'Pictures node_modules{"advice":null,"command":["restic","-r","/srv/backup/home","backup","/home/",'
    b'"--exclude-caches","--json"],"evidence":null,"exit_code":0,"overlaps":null,"paused_seconds":0,"problems":[],'
    b'"reason":"All files were saved.","repository":"/srv/backup/home","signal":null,"snapshot":null,'
    b'"sources":["/home/"],"stalled_seconds":0,"started_at":"2026-01-01T00:00:00.000Z","steps":[],'
    b'"user":null}{"command":["restic","-r","/srv/backup/home","backup","/home/","--exclude-caches","--json"],'
    b'"evidence":null,"host":"","overlaps":null,"pid":1,"repository":"/srv/backup/home","sources":["/home/"],'
    b'"user":null}'
)
"""Text that bodies are likely to hold, the likeliest last. Never change it: stored bodies could not be read any more. A better
one gets a mark of its own."""


def packed(action: Action, body: bytes) -> bytes:
    """Return *body*, the plain body of an entry of *action*, as it is stored."""
    if action in PLAIN:
        return body
    window = _SHORT if len(body) < len(DICTIONARY) else _RAW
    packer = zlib.compressobj(9, zlib.DEFLATED, window, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    short = _MARK + packer.compress(body) + packer.flush()
    return short if len(short) < len(body) else body


def plain(stored: bytes) -> bytes:
    """Return the plain body, which is what was hashed.

    Raises:
        ValueError: It is damaged, or longer than any body is.
    """
    if stored[:1] != _MARK:
        return stored
    unpacker = zlib.decompressobj(_RAW, DICTIONARY)
    try:
        body = unpacker.decompress(stored[1:], MAX_BODY + 1)
    except zlib.error as error:
        raise ValueError(f"a body cannot be unpacked: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("a body cannot be unpacked: it does not end where it should")
    return body
