"""The kind of each subcommand of each engine: only one that makes a backup counts as a backup."""

import re
import shlex

import pytest

from tray import engines
from tray.core.model import Outcome
from tray.engines.base import Exit

KINDS = {
    "restic": {
        "backup": "backup /x|--tag a backup /x|-r /r backup --exclude check /x|backup --stdin|backup -v /x"
        "|backup --dry-run=false /x",
        "dry-run": "backup --dry-run /x|backup -n /x|-v backup -vn /x|backup -nv /x",
        "restore": "restore latest --target /x",
        "check": "check|check --read-data|check --read-data-subset=5%|-r /r check",
        "prune": "prune|forget --keep-last 1|forget --prune --keep-daily 7|-r /r forget latest",
        "other": "snapshots|version|--version|stats|ls latest|find x|diff a b|list locks|cat config|mount /m|unlock|init|key list"
        "|tag --add x|copy|rewrite|recover|repair index|rebuild-index|migrate|cache|self-update|dump latest /x|help|help backup"
        "|backup --help|forget --dry-run --keep-last 1|prune -n|restore --dry-run latest --target /x|generate|options|",
    },
    "borg": {
        "backup": "create r::a /x|--progress create r::a /x|create --comment check r::a /x|-r repo create a /x",
        "dry-run": "create --dry-run r::a /x|create -n r::a /x|create --list -n r::a /x",
        "restore": "extract r::a",
        "check": "check r|check --verify-data r|check --repair r|-v check --repository-only r",
        "prune": "prune --keep-last 1 r|delete r::a",
        "compact": "compact r",
        "other": "list r|info r::a|init -e none r|break-lock r|mount r /m|diff r::a b|rename r::a b|key export r|serve|config r x"
        "|export-tar r::a x.tar|import-tar r::a x.tar|recreate r|upgrade r|with-lock r true|benchmark crud r /x|debug info|help"
        "|--version|-V|create --help|extract --dry-run r::a|prune --dry-run --keep-last 1 r|compact -n r|delete -n r::a|umount /m|",
    },
    "rclone": {
        "backup": "sync /x r:x|copy /x r:x|copyto /x r:x|move /x r:x|moveto /x r:x|bisync /x r:x|-v sync /x r:x|rcat r:x",
        "dry-run": "sync --dry-run /x r:x|-n copy /x r:x|copy /x r:x -n|rcat -n r:x",
        "check": "check /x r:x|cryptcheck /x r:x|checksum md5 sums r:x",
        "prune": "delete --min-age 30d r:x|purge r:x|cleanup r:|rmdirs r:x|deletefile r:x|dedupe r:x",
        "other": "ls r:|lsd r:|lsf r:|lsjson r:|lsl r:|size r:|tree r:|ncdu r:|about r:|version|--version|config show|listremotes"
        "|mount r: /m|serve http r:|md5sum r:|hashsum md5 r:|cat r:x|touch r:x|mkdir r:x|link r:x|obscure x|rcd|rc core/version"
        "|delete --dry-run r:x|sync --help|help|selfupdate|",
    },
    "rsync": {
        "backup": "-a /x/ /y/|-a /x/ host:/y/|-a --delete /x/ rsync://h/m/|--read-batch=b /y/|-avz -e ssh /x host:y",
        "dry-run": "-an /x/ /y/|-a --dry-run /x/ /y/|-avn --delete /x/ host:/y/",
        "other": "--version|-V|--help|-a /x/|-a --only-write-batch=b /x/ /y/|--list-only /x/ /y/|rsync://h/|--daemon"
        "|--server --sender . /x|",
    },
    "tar": {
        "backup": "cf a.tar /x|-cf a.tar /x|-czf a.tgz /x|--create --file=a.tar /x|cz /x|rf a.tar /x|-uf a.tar /x|-cf - /x",
        "dry-run": "cf /dev/null /x|-cf /dev/null /x|--create --file /dev/null /x|-czf /dev/./null /x|cvf /dev/null /x",
        "restore": "xf a.tar|-xzf a.tgz -C /x|--extract -f a.tar|xf /dev/null",
        "check": "df a.tar|--compare -f a.tar|--diff -f a.tar",
        "other": "tf a.tar|-tvf a.tar|--list -f a.tar|--version|--help|--usage|-Af a.tar b.tar|--delete -f a.tar x|--show-defaults"
        "|--test-label -f a.tar|",
    },
    "duplicity": {
        "backup": "full /x file:///y|incr /x file:///y|incremental /x file:///y|/x file:///y|backup /x file:///y|inc /x file:///y",
        "dry-run": "full --dry-run /x file:///y|--dry-run /x file:///y",
        "restore": "restore file:///y /x|file:///y /x",
        "check": "verify file:///y /x|verify --compare-data file:///y /x",
        "prune": "cleanup --force file:///y|remove-older-than 1M --force file:///y|remove-all-but-n-full 2 --force file:///y"
        "|remove-all-inc-of-but-n-full 1 --force file:///y",
        "other": "collection-status file:///y|list-current-files file:///y|--version|--help|cleanup file:///y"
        "|remove-older-than 1M file:///y|replicate file:///a file:///b|restore --dry-run file:///y /x|",
    },
    "dar": {
        "backup": "-c /b/x -R /x|--create /b/x|-Q -c /b/x|-c - -R /x|-R /x -zxz -c /b/x|-c /b/test -t8 -R /x"
        "|-c /b/x -A /b/full -R /x",
        "dry-run": "-e -c /b/x -R /x|-c /b/x --dry-run",
        "restore": "-x /b/x -R /y|--extract /b/x",
        "check": "-t /b/x|--test=/b/x|-d /b/x -R /x|--diff /b/x",
        "other": "-l /b/x|-C /b/y -A /b/x|-+ /b/y -A /b/x|-y /b/y -A /b/x|-e -x /b/x|-h|-V|--version|-B /etc/nightly.dcf|",
    },
    "rdiff-backup": {
        "backup": "/x /y|backup /x /y|-b /x /y|--print-statistics /x /y|/x host::/y",
        "restore": "restore /y /x|-r now /y /x|--restore-as-of 3D /y /x",
        "check": "verify /y|compare /x /y|--verify /y|--compare /x /y|--compare-hash /x /y",
        "prune": "remove increments --older-than 1M /y|--remove-older-than 1M /y",
        "other": "list increments /y|--list-increments /y|-l /y|info|--version|-V|--help|regress /y|test host::/x"
        "|--test-server host::/x"
        "|calculate average x|--check-destination-dir /y|server|--server|backup --help|",
    },
    "kopia": {
        "backup": "snapshot create /x|snap create /x|snapshot create --all|--config-file=c snapshot create /x",
        "restore": "snapshot restore k /x|restore k /x",
        "check": "snapshot verify|snap verify|content verify",
        "prune": "maintenance run|maintenance run --full|snapshot expire --all --delete|snapshot delete k --delete",
        "other": "snapshot list|snapshot estimate /x|repository status|repository connect filesystem|policy show|--version|--help"
        "|snapshot create --help|mount k /m|ls k|diff a b|server start|maintenance info"
        "|snapshot expire --all|snapshot delete k|snapshot|",
    },
}
HANDED_ON = {
    "backup": """
        docker exec c pg_dump x
        docker exec restic restic backup /s
        docker run --name restic --rm restic/restic backup /s
        ssh host
        docker run --rm -v /s:/s alpine tar czf /s/x.tgz /s
        ssh h 'restic backup /x; restic check'
        kubectl exec pod -- pg_dump x
        su - bob -c 'borg create /r::a /x'
        sh -c 'restic check && ./mine.sh'
        sh -c 'export A=b; restic backup /x | tee log'
        bash nightly.sh check
        docker start c
        docker exec c nightly --version x
        mine.sh version home
        mine.sh restic check
    """,
    "check": """
        docker exec restic restic check
        ssh -p 22 -i /k h restic check
        su -c 'borg check /r' bob
        docker exec c sh -c 'restic check'
        sh -c 'if restic check; then echo ok; fi'
        sudo -u bob sh -c 'cd /x && A=b restic check'
    """,
    "prune": """
        ssh root@h 'cd /x && restic forget --keep-last 2'
        docker compose run --rm restic forget --prune
    """,
    "dry-run": """
        ssh h restic backup -n /x
        flock /l -c 'borg create -n /r::a /x'
    """,
    "other": """
        docker run --rm -e A=b restic/restic:0.18 -r /r snapshots
        docker compose -f x.yml exec -T b borg list
        chroot /m restic version
        kubectl exec -n a pod -- restic snapshots
        bash -lc 'rclone ls x:'
        sh -c 'restic snapshots | grep x'
        podman exec c tar tf x.tar
        borgmatic --version
        pg_dump --help
        mysqldump -V
        resticprofile version
        sh -c 'pg_dump --version'
        nice borgmatic -h
    """,
}
"""Commands that hand their words on to another, or only tell of themselves, with their kinds."""
CALLS = [
    (engine, kind, words)
    for engine, kinds in KINDS.items()
    for kind, calls in kinds.items()
    for words in calls.split("|")
]
_MADE = re.compile(
    r"(?i)(?:snapshot|archive|backup|copy) \S* ?(?:was|were) (?:saved|written|made)|files? (?:was|were) copied"
)


@pytest.mark.parametrize(("engine", "kind", "words"), CALLS)
def test_each_subcommand_has_its_kind(engine: str, kind: str, words: str) -> None:
    """A check, a rehearsal, a look or a clean-up is no backup, however its options stand."""
    argv = [engine, *words.split()]
    adapter, at = engines.recognise(argv, {})
    assert adapter.name == engine
    assert adapter.plan(argv, at, {}).kind == kind


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in HANDED_ON.items() for text in texts.strip().splitlines()]
)
def test_what_is_handed_on_to_an_engine_has_its_kind(kind: str, text: str) -> None:
    """A check in a container, on another machine or in a shell is no backup; what is not known for certain counts as one."""
    argv = shlex.split(text)
    adapter, at = engines.recognise(argv, {})
    assert adapter is engines.COMMAND
    plan = adapter.plan(argv, at, {})
    assert plan.kind == kind
    assert plan.argv == tuple(argv)
    assert not engines.job_name(adapter.name, None, plan.sources, kind=kind, folder="/").startswith(kind)


@pytest.mark.parametrize(("engine", "kind", "words"), [one for one in CALLS if one[1] != "backup"])
def test_what_is_no_backup_has_a_name_of_its_own(engine: str, kind: str, words: str) -> None:
    """Its success never stands where the last backup belongs, and its result never speaks of a backup that was made."""
    argv = [engine, *words.split()]
    adapter, at = engines.recognise(argv, {})
    plan = adapter.plan(argv, at, {})
    name = engines.job_name(engine, plan.repository, plan.sources, kind=plan.kind, folder="/")
    assert name.startswith(f"{engine} {kind}")
    result = adapter.session(plan).conclude(Exit(0))
    if result.outcome is Outcome.SUCCEEDED:
        assert not _MADE.search(result.reason)
