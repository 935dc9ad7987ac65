"""rclone's command line, read as rclone itself reads it (cobra and pflag): flags anywhere, two ends; and its RCLONE_* variables.

rclone has hundreds of flags, and every version more. Those without a value are listed here; any other takes one. An unknown flag is
read in the way that leaves a subcommand with two ends.
"""

from collections.abc import Mapping, Sequence

from tray.core.dataclass import dataclass, field, replace
from tray.core.redact import Harmless
from tray.engines import arguments
from tray.engines.arguments import FALSE, Arguments, Grammar, grammar
from tray.engines.text import words

_UNKNOWN_TAKES_VALUE = grammar(
    values="""f:filter config log-file log-level log-format stats stats-log-level stats-file-name-length stats-unit transfers
    checkers bwlimit bwlimit-file exclude exclude-from include include-from filter-from files-from files-from-raw max-age
    min-age max-size min-size max-depth max-delete max-transfer max-duration max-backlog backup-dir suffix compare-dest
    copy-dest order-by retries retries-sleep low-level-retries timeout contimeout tpslimit tpslimit-burst cache-dir temp-dir
    workdir buffer-size modify-window multi-thread-streams multi-thread-cutoff color dump cutoff-mode s3-endpoint s3-region
    s3-provider s3-location-constraint s3-storage-class s3-acl b2-endpoint b2-download-url user-agent header password-command""",
    switches="""V:version c:checksum h:help i:interactive I:ignore-times l:links L:copy-links M:metadata n:dry-run P:progress
    q:quiet u:update v:verbose x:one-file-system 1:resync ask-password auto-confirm azureblob-archive-tier-delete
    azureblob-delete-snapshots azureblob-directory-markers azureblob-disable-checksum azureblob-env-auth
    azureblob-memory-pool-use-mmap azureblob-no-head-object azureblob-use-az azureblob-use-emulator azureblob-use-msi
    b2-disable-checksum b2-hard-delete b2-memory-pool-use-mmap b2-versions cache-chunk-no-memory cache-db-purge cache-writes
    check-access check-first chunker-fail-hard create-empty-src-dirs crypt-directory-name-encryption crypt-no-data-encryption
    crypt-pass-bad-blocks crypt-server-side-across-configs crypt-show-mapping crypt-strict-names delete-after delete-before
    delete-during delete-empty-src-dirs delete-excluded disable-http-keep-alives disable-http2 download download-hash
    drive-acknowledge-abuse drive-allow-import-name-change drive-auth-owner-only drive-copy-shortcut-content
    drive-disable-http2 drive-env-auth drive-keep-revision-forever drive-server-side-across-configs drive-shared-with-me
    drive-show-all-gdocs drive-size-as-quota drive-skip-checksum-gphotos drive-skip-dangling-shortcuts drive-skip-gdocs
    drive-skip-shortcuts drive-starred-only drive-stop-on-download-limit drive-stop-on-upload-limit drive-trashed-only
    drive-use-created-date drive-use-shared-date drive-use-trash dropbox-shared-files dropbox-shared-folders dump-bodies
    dump-headers error-on-no-transfer fast-list fix-case force ftp-ask-password ftp-disable-epsv ftp-disable-mlsd
    ftp-disable-tls13 ftp-disable-utf8 ftp-explicit-tls ftp-force-list-hidden ftp-no-check-certificate ftp-tls
    ftp-writing-mdtm gcs-anonymous gcs-bucket-policy-only gcs-decompress gcs-directory-markers gcs-env-auth
    gcs-no-check-bucket gphotos-include-archived gphotos-read-only gphotos-read-size hidrive-disable-fetching-member-count
    http-no-head http-no-slash human-readable ignore-case ignore-case-sync ignore-checksum ignore-errors ignore-existing
    ignore-listing-checksum ignore-size immutable inplace internetarchive-disable-checksum jottacloud-hard-delete
    jottacloud-no-versions jottacloud-trashed-only koofr-setmtime local-case-insensitive local-case-sensitive
    local-no-check-updated local-no-clone local-no-preallocate local-no-set-modtime local-no-sparse local-nounc
    local-unicode-normalization local-zero-size-links localtime log-file-compress log-systemd mailru-check-hash
    mailru-speedup-enable mega-debug mega-hard-delete mega-use-https no-check-certificate no-check-dest no-cleanup no-console
    no-gzip-encoding no-slow-hash no-traverse no-unicode-normalization no-update-dir-modtime no-update-modtime one-way
    onedrive-av-override onedrive-delta onedrive-expose-onenote-files onedrive-hard-delete onedrive-no-versions
    onedrive-server-side-across-configs oos-leave-parts-on-error oos-no-check-bucket pikpak-trashed-only pikpak-use-trash
    progress-terminal-title protondrive-enable-caching protondrive-replace-existing-draft quatrix-hard-delete rc
    rc-enable-metrics rc-no-auth rc-serve rc-web-gui rc-web-gui-force-update rc-web-gui-no-open-browser rc-web-gui-update
    recover refresh-times remove-empty-dirs resilient s3-decompress s3-directory-bucket s3-directory-markers
    s3-disable-checksum s3-disable-http2 s3-env-auth s3-force-path-style s3-leave-parts-on-error s3-memory-pool-use-mmap
    s3-no-check-bucket s3-no-head s3-no-head-object s3-no-system-metadata s3-requester-pays s3-use-accelerate-endpoint
    s3-use-dual-stack s3-use-presigned-request s3-v2-auth s3-version-deleted s3-versions seafile-2fa seafile-create-library
    server-side-across-configs sftp-ask-password sftp-copy-is-hardlink sftp-disable-concurrent-reads
    sftp-disable-concurrent-writes sftp-disable-hashcheck sftp-key-use-agent sftp-set-modtime sftp-skip-links sftp-use-fstat
    sftp-use-insecure-cipher size-only skip-links slow-hash-sync-only smb-case-insensitive smb-hide-special-share
    stats-one-line stats-one-line-date suffix-keep-extension sugarsync-hard-delete swift-env-auth swift-fetch-until-empty-page
    swift-leave-parts-on-error swift-no-chunk swift-no-large-objects syslog track-renames use-cookies use-json-log use-mmap
    use-server-modtime webdav-auth-redirect yandex-hard-delete""",
    shortens=False,
    equals=True,
    unknown="value",
)
_UNKNOWN_IS_SWITCH = replace(_UNKNOWN_TAKES_VALUE, unknown="switch")
TRANSFERS = ("sync", "copy", "copyto", "move", "moveto", "bisync")
_TELLING = words(
    """host user port endpoint region provider account remote bucket drive_id share_name url site_url team_drive root_folder_id
    upstreams shared_with_me trashed_only impersonate tenant domain"""
)
"""Options in a connection string that say where it is."""
_LEVELS = ("EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG")
HARMLESS = Harmless(
    _UNKNOWN_TAKES_VALUE,
    _UNKNOWN_TAKES_VALUE.values - words("user-agent header password-command"),
    subcommands=words(
        "check cryptcheck ls lsd lsl lsf lsjson size delete deletefile purge mkdir rmdir rmdirs tree md5sum"
    ).union(TRANSFERS),
)


@dataclass(frozen=True, slots=True)
class Options(Arguments):
    """An rclone command line.

    Attributes:
        environ: Its environment: RCLONE_LOG_LEVEL stands for `--log-level` and so on.
    """

    environ: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str | None:
        """The value that counts, None if it is given neither as a flag nor as a variable."""
        given = self.last(name)
        return given if given is not None else self.environ.get("RCLONE_" + name.upper().replace("-", "_")) or None

    def given(self, *names: str) -> bool:
        """Whether one of the flags is given, whatever its value."""
        return any(self.value(name) is not None for name in names)

    def on(self, *names: str) -> bool:
        """Whether one of the switches is given and not given as false."""
        return any((value := self.value(name)) is not None and value not in FALSE for name in names)

    @property
    def copies(self) -> bool:
        """Whether it names a subcommand that copies, and two ends."""
        return self.subcommand in TRANSFERS and len(self.rest) >= 2

    @property
    def log_level(self) -> int:
        """The index of the level down to which rclone logs: that of NOTICE unless the user chose another."""
        if self.on("quiet"):
            return level("ERROR")
        variable = self.environ.get("RCLONE_VERBOSE")
        verbose = self.every("verbose") or ((variable,) if variable else ())
        count = sum(int(value[:2]) if value.isdecimal() else 1 for value in verbose if value not in FALSE)
        if count:
            return level("INFO" if count == 1 else "DEBUG")
        return level(self.value("log-level") or "NOTICE")

    @property
    def stats_level(self) -> int:
        """At which level statistics are logged."""
        asked = self.value("stats-log-level")
        return level(asked or ("NOTICE" if self.on("dry-run", "interactive") else "INFO"))


def level(name: str) -> int:
    """Return the index of a level's name; a name that we do not know counts as NOTICE."""
    return _LEVELS.index(name.upper()) if name.upper() in _LEVELS else _LEVELS.index("NOTICE")


def level_name(index: int) -> str:
    """Return the name of a level."""
    return _LEVELS[index]


def read(argv: Sequence[str], at: int, environ: Mapping[str, str] | None = None) -> Options:
    """Read the command line whose program stands at index *at*; never raises."""
    env = {} if environ is None else environ
    with_values = _read(argv, at, env, _UNKNOWN_TAKES_VALUE)
    if with_values.copies:
        return with_values
    without = _read(argv, at, env, _UNKNOWN_IS_SWITCH)
    return without if without.copies else with_values


def _read(argv: Sequence[str], at: int, environ: Mapping[str, str], table: Grammar) -> Options:
    given = arguments.read(argv, at + 1, table)
    return Options(given.options, given.words, given.places, given.end, environ=environ)


def without_secrets(place: str) -> str:
    """Return a place (`remote:path`, `/path`, `:sftp,host=h,pass=…:path`) with only those options that say where it is.

    The passwords in it are only obscured: any reader can turn them back. An option that we do not know may be another one.
    """
    if "," not in place.partition("/")[0]:
        return place
    start = 1 if place.startswith(":") else 0
    parts, path = _split(place, start)
    if path is None:
        return place
    kept = [part for part in parts[1:] if part.partition("=")[0].strip() in _TELLING and "," not in part]
    return ",".join([place[:start] + parts[0], *kept]) + ":" + path


def _split(text: str, start: int) -> tuple[list[str], str | None]:
    """Split at commas outside quotes up to the colon that ends the options; a doubled quote is one."""
    parts, quote, begin = [], "", start
    for i in range(start, len(text)):
        char = text[i]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and text[i - 1 : i] == "=":
            quote = char
        elif char == ",":
            parts.append(text[begin:i])
            begin = i + 1
        elif char == ":":
            return [*parts, text[begin:i]], text[i + 1 :]
    return parts, None
