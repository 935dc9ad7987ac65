"""The name of a job holds no date that changes every night, and two different jobs stay two."""

import shlex
import subprocess
from collections.abc import Sequence

import pytest

from tray import engines
from tray.core import clock
from tray.engines import nightly

SECONDS = 1_795_834_800  # 2026-11-28 03:00 UTC
NIGHTS = [SECONDS + day * 86_400 for day in range(-44, 3, 9)]
FORMS = [
    "%F",
    "%Y%m%d",
    "%Y_%m_%d",
    "%Y.%m.%d",
    "%Y/%m/%d",
    "%Y %m %d",
    "%FT%H%M",
    "%FT%T",
    "%FT%T%z",
    "%FT%H:%M:%SZ",
    "%FT%H:%M:%S.%NZ",
    "%F_%H-%M-%S",
    "%F-%H%M%S",
    "%F %H.%M",
    "%F_%Hh%M",
    "%Y_%m_%d-%H-%M-%S-00",
    "%Y%m%d%H%M%S",
    "%Y%m%d%H%M",
    "%Y%m%d-%H%M",
    "%Y%m%dT%H%M%SZ",
    "%Y%m%d_%H",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%d_%m_%Y",
    "%m-%d-%Y",
    "%m-%d-%Y_%H-%M",
    "%d%m%Y",
    "%y%m%d",
    "%y-%m-%d",
    "%y%m%d-%H%M",
    "%d-%b-%Y",
    "%d%b%Y",
    "%b-%d-%Y",
    "%Y-%b-%d",
    "%d-%B-%Y",
    "%a",
    "%A",
    "%Y-W%V",
    "%Y-%j",
    "%s",
    "%s%3N",
    "%m-%d",
    "%b-%d",
    "%a %b %d %T UTC %Y",
    "%Y-%m",
]
BACKUPS = [
    "restic -r /mnt/{}/r backup /home",
    "restic -r rest:https://h/{} backup /home",
    "borg create /mnt/borg-{}::x /home",
    "borg create /mnt/b::{} /snap/{}/home",
    "rclone sync /home remote:bucket/{}",
    "rclone copy /home remote:bucket/x-{}/y",
    "rsync -a --link-dest=/bk/last /home/ /bk/{}/",
    "rsync -a /home/ host:/bk/home-{}",
    "rsync -a /home/.zfs/snapshot/daily-{}/ /bk/home/",
    "tar czf /bk/home-{}.tar.gz /home",
    "tar -cf /bk/{}.tar -C / home",
    "duplicity full /home file:///bk/{}",
    "rdiff-backup /home /bk/{}",
    "dar -c /bk/{} -R /home",
    "kopia snapshot create /snap/{}",
    "pg_dump -f /bk/db-{}.sql db",
    "sh -c 'pg_dump db > /bk/db-{}.sql'",
    "bash -c 'cd /home && tar czf /bk/a-{}.tgz . && rclone copy /bk/a-{}.tgz r:bucket'",
    "nice -n 10 sh -c 'mysqldump --all-databases --single-transaction | gzip > /var/backups/mysql/all-{}.sql.gz'",
    "ssh host 'tar cz /home > home-{}.tgz'",
]


def name(command: str, text: str = "") -> str:
    """Return the job's name of a whole command, with *text* in place of each `{}`."""
    argv = [word.replace("{}", text) for word in shlex.split(command)]
    engine, at = engines.recognise(argv, {})
    plan = engine.plan(argv, at, {})
    return engines.job_name(engine.name, plan.repository, plan.sources, kind=plan.kind, folder="/", apart=plan.apart)


def written(form: str, seconds: Sequence[int]) -> list[str]:
    """Return what `date +form` prints at those times."""
    lines = "".join(f"@{one}\n" for one in seconds)
    done = subprocess.run(
        ["date", "-u", "-f", "-", f"+{form}"],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    )
    return done.stdout.splitlines()


@pytest.mark.process
@pytest.mark.parametrize("form", FORMS)
def test_a_backup_with_the_date_of_the_night_is_one_job(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the date is written and wherever it stands, the same command is the same job every night."""
    for command in BACKUPS:
        names = set()
        for seconds, text in zip(NIGHTS, written(form, NIGHTS), strict=True):
            monkeypatch.setattr(clock, "now_ms", lambda seconds=seconds: seconds * 1000)
            names.add(name(command, text))
        assert len(names) == 1, sorted(names)[:3]


@pytest.mark.process
@pytest.mark.parametrize("command", BACKUPS)
def test_past_dates_that_are_written_out_are_one_job(command: str) -> None:
    """A catalogue of old nights that is filled today is one job too, where the date is whole."""
    for form in ("%F", "%Y%m%d", "%d.%m.%Y", "%FT%H%M", "%Y_%m_%d-%H-%M-%S"):
        assert len({name(command, text) for text in written(form, NIGHTS)}) == 1


@pytest.mark.parametrize(
    "pair",
    [
        ("/photos/2019", "/photos/2020"),
        ("/customers/48151623", "/customers/48151624"),
        ("/customers/1234567890", "/customers/1234567891"),
        ("/vm/100", "/vm/101"),
        ("/srv/v1.2.3", "/srv/v1.2.4"),
        ("/srv/10.0.0.1", "/srv/10.0.0.2"),
        ("/srv/10.26.11.28", "/srv/10.26.11.29"),
        ("/srv/28.11.26.1", "/srv/29.11.26.1"),
        ("/srv/192.26.11.28.5", "/srv/192.26.11.27.5"),
        ("/data/000001", "/data/000002"),
        ("/data/990131", "/data/990132"),
        ("/home/sun", "/home/mon"),
        ("/home/may", "/home/june"),
        ("/home/Sunny", "/home/Monty"),
        ("/srv/marketing-28", "/srv/decathlon-28"),
        ("/port/8080", "/port/8443"),
        ("/disk/sda1", "/disk/sda2"),
        ("/a/2026-11-28/x", "/a/2026-11-28/y"),
        ("/a-2026-11-28", "/b-2026-11-28"),
        ("/tel/0301234567", "/tel/0301234568"),
        ("/serial/2026999", "/serial/2026998"),
        ("/Mon Dossier", "/Sun Dossier"),
    ],
)
def test_two_jobs_that_differ_in_other_numbers_stay_two(pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The success of one must not hide the failure of the other."""
    monkeypatch.setattr(clock, "now_ms", lambda: SECONDS * 1000)
    for command in BACKUPS:
        assert name(command, pair[0][1:]) != name(command, pair[1][1:])


def test_the_place_of_a_date_can_be_read() -> None:
    """A person sees that a date stood there, and nothing else is touched."""
    assert nightly.undated("/bk/home-2026-11-28.tar.gz", SECONDS * 1000) == "/bk/home-DATE.tar.gz"
    assert nightly.undated("/bk/2026/11/28/", SECONDS * 1000) == "/bk/DATE/"
    assert nightly.undated("/bk/home-20261128T0300.tgz", SECONDS * 1000) == "/bk/home-DATE.tgz"
    assert name("rsync -a /home/ /bk/2026-11-28/") == "rsync /home to /bk/DATE"


def test_the_name_of_a_long_command_begins_where_the_command_begins() -> None:
    """Not after its last slash, which says nothing."""
    text = "sh -c 'mysqldump --all-databases --single-transaction --routines | gzip > /var/backups/mysql/all.sql.gz'"
    assert name(f"nice -n 10 {text}").startswith("sh -c mysqldump --all-databases")
    assert name("sudo -u db /opt/scripts/dump.sh " + "/very/long/path" * 20).startswith(
        "/opt/scripts/dump.sh /very/long/path"
    )


def test_the_list_that_borgmatic_2_makes_is_the_same_every_night() -> None:
    """It is in another folder at each run, and elsewhere in a session than under cron; a list of the user's own keeps its name."""
    lists = (
        "/tmp/borgmatic-p6xjk2x4/borgmatic/tmptk0gfsn1",
        "/run/user/1000/borgmatic-a_b1c2d3/borgmatic/tmp0_1a2b3c",
        "/run/borgmatic/tmpabcdefgh",
    )
    assert {nightly.settled(f"patterns-from={path}", (), 0, place=False) for path in lists} == {"patterns-from=TMP"}
    own = "patterns-from=/etc/borgmatic/tmp-patterns"
    assert nightly.settled(own, (), 0, place=False) == own
