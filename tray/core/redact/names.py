"""Tell by the names of variables, options and keys whether a secret stands behind them."""

from functools import lru_cache

from tray.core import regex
from tray.core.redact.plain import words

_SECRET = regex.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|PASSCODE|PASSCOMMAND|SECRET|TOKEN|CREDENTIAL|BEARER|^SSHPASS$|KEY_PEM$|CONNECTION_STRING$"
    r"|^RCLONE_CONFIG_.*_KEY$|(?:^|[_.])(?:PASS|PWD|PW|SAS|KENNWORT|PASSWORT|MOT_?DE_?PASSE|CONTRASE[NÑ]A|SENHA|WACHTWOORD)\d*$|(?:^|_)PASS_"
    r"|(?:API|ACCESS|ACCOUNT|PRIVATE|ENCRYPTION|SIGNING|APPLICATION|APP|STORAGE|MASTER|AUTH|SHARED|CRYPT|B2|RSA|AZUREBLOB|SWIFT|SSE_CUSTOMER)[_.]?KEY"
    r"|(?:^|[_.])(?:SIG|SIGNATURE|AUTH|AUTHORIZATION|COOKIE)$"
)
_NOT_SECRET = regex.compile(
    r"(?:_FILE|_FILES|_PATH|_DIR|_FD|_STDIN|_SOCK|_LENGTH|_HASH|ASKPASS|_PROMPT|_KEY_ID|_TYPE|_EXPIRY|_TIMEOUT)$"
    r"|^(?:INSECURE_)?NO_|^ASK_|^(?:OLD)?PWD$|^KEY_HINT$"
)
_FILE = regex.compile(r"PGPASSFILE|(.*?)_?FILE")

_LONGEST = 100

HINTS = words("pass pw secret token key cred bearer basic sig auth sas cookie kennwort identified connection")
"""Every secret name holds one of these: a cheap look before the dear expressions."""

WORDS = words("password passwd passphrase pass secret token apikey api_key pin identified-by obscure")
"""A bare word of a command that says: the next one is a secret (`rclone config create r sftp pass …`)."""

STATES = words(
    """true false yes no none null on off 0 1 prompt ask expired invalid missing required incorrect wrong empty failed ok set
    unset changed accepted rejected unknown denied error not is was has could cannot must for unsupported disabled enabled
    needed given found absent"""
)
"""Words behind such a name that are no secret: "token: expired", "(using password: YES)"."""

_QUIET = regex.compile(
    r"XDG_|LC_|DBUS_|GTK_|QT_|KDE_|GNOME_|TERM|COLORTERM$|LS_COLORS$|LESS|GCC_|DEBIAN_|DISPLAY$|WAYLAND_|HOST|MACHTYPE$|SSH_(?!PASS)"
    r"|INVOCATION_ID$|JOURNAL_STREAM$|SESSION|WINDOW|MANAGERPID$|SYSTEMD_|NOTIFY_SOCKET$|SHELL|LOGNAME$|USER|MAIL$|EDITOR$|PAGER$"
    r"|PYTHON|VIRTUAL_ENV|CONDA|NODE|NVM|JAVA_|GO(?:PATH|ROOT|OS|ARCH)|BACKUP_TRAY_|COMP_|BASH|PS[1-4]$|PROMPT|IFS$|_$"
    r"|.*(?:PATH|DIR|HOME|ROOT|FILE|VERSION|PID|UUID|COLOR|LANG|TZ|REPOSITORY|REPO|BUCKET|REGION|ENDPOINT|URL|HINT)S?$"
)


def is_secret_name(name: str) -> bool:
    """Whether a variable, option or key of this name holds a secret itself (not the name of a file that does)."""
    return _is_secret_name(name[-_LONGEST:])  # what is remembered stays small


@lru_cache(maxsize=1024)
def _is_secret_name(name: str) -> bool:
    plain = name.strip("-").replace("-", "_").upper()
    return bool(_SECRET.search(plain)) and not _NOT_SECRET.search(plain)


def names_secret_file(name: str) -> bool:
    """Whether a variable or option of this name holds the name of a file with a secret in it: `--password-file`, PGPASSFILE."""
    plain = name.strip("-").replace("-", "_").upper()
    match = _FILE.fullmatch(plain)
    return match is not None and (match[1] is None or bool(_SECRET.search(match[1])))


def is_credential_file(name: str, value: str) -> bool:
    """Whether a variable like GOOGLE_APPLICATION_CREDENTIALS holds the name of a file, as most do."""
    return "CREDENTIAL" in name.upper() and value.startswith(("/", "~", "./"))


def is_quiet_name(name: str) -> bool:
    """Whether a variable of this name certainly holds no secret, whatever its value looks like."""
    return _QUIET.match(name) is not None


WITH_ONE_DASH = words(
    """name iname path ipath type mtime mmin ctime atime size print print0 delete exec execdir maxdepth mindepth newer not prune
    regex user group perm empty links xdev depth quiet verbose force help version input output in out days subj x509 nodes a and or
    batch auto silent
    aes-256-cbc aes-128-cbc aes-256-ctr pbkdf2 salt iter base64 noout text newkey keyout file host port database queue client
    clients daemon config conf mode level format level0 nopasswd ssl tls"""
)
"""Options of a whole word behind one dash, as find, openssl and others have them."""


_LETTERS = """
sshpass mydumper mongodump mongorestore mongo cqlsh: -p -p*
curl: -u -u* --user -U -U* --proxy-user -E -E* --cert --proxy-cert
mysql mysqldump mysqladmin mysqlcheck mysqlpump mariadb mariadb-dump mariadb-admin: -p*
mariabackup xtrabackup 7z 7za 7zz 7zr mariadb-backup mysqlbackup: -p*
rar: -p* -hp*
zip unzip sqlcmd: -P -P*
openssl: -k -K -pass -passin -passout
mongosh ncftpput login: -p
smbclient: -U -U*
redis-cli: -a
ldapsearch: -w -w*
influx influxd: -t
lftp: -u
htpasswd: -b
swift: -K -K*
"""
LETTERS = {
    program: tuple(options.split())
    for programs, _, options in (line.partition(":") for line in _LETTERS.strip().splitlines())
    for program in programs.split()
}
"""Options with a letter for a name, which mean a password in these programs only; `*`: the value is glued to the letter."""

LOGINS = frozenset(("-u", "--user", "-U", "--proxy-user", "-E", "--cert", "--proxy-cert"))
"""Of these only what follows the colon (in some programs a comma or %) is a password."""
