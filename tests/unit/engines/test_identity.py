"""Which commands are one job and which are two: the success of one must never hide the failure of another."""

import shlex
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tray import engines
from tray.core import clock
from tray.engines.job_name import is_shared

NOW = 1_796_007_600_000  # Monday, 2026-11-30 03:00 UTC
DAY = 86_400_000
DIFFERENT = {
    "restic": """
        restic -r /r backup /home | restic -r /r backup /home --host web1
        restic -r /r backup /home -H web1 | restic -r /r backup /home -H web2
        restic -r /r backup /home --tag hourly | restic -r /r backup /home --tag daily
        restic -r /r backup /vm-101 | restic -r /r backup /vm-102
        restic -r /r1 backup /home | restic -r /r2 backup /home
        restic -r /r backup --files-from a.txt | restic -r /r backup --files-from b.txt
        restic -r /r backup --stdin --stdin-filename a | restic -r /r backup --stdin --stdin-filename b
        restic -r /r backup --stdin-from-command -- pg_dump a | restic -r /r backup --stdin-from-command -- pg_dump b
        restic -r sftp:h:/r -o sftp.args=-p22 backup /x | restic -r sftp:h:/r -o sftp.args=-p23 backup /x
        env RESTIC_HOST=a restic -r /r backup /home | env RESTIC_HOST=b restic -r /r backup /home
        env RESTIC_REPOSITORY=/a restic backup /home | env RESTIC_REPOSITORY=/b restic backup /home
        restic -r rest:http://h:8000/ backup /home | restic -r rest:http://h:8001/ backup /home
        restic -r /r backup /srv/Sun | restic -r /r backup /srv/Mon
        restic -r /r backup /customers/11-30 | restic -r /r backup /customers/11-29
        restic -r /r backup /srv/2025 | restic -r /r backup /srv/2026
        restic -r /r backup /srv/2026-11 | restic -r /r backup /srv/2026-10
        restic -r /r backup /archive/2025-01-01 | restic -r /r backup /archive/2025-02-01
        restic -r /r backup /c/261130 | restic -r /r backup /c/261129
        restic -r /r backup /tmp/vm-1042 | restic -r /r backup /tmp/vm-1043
        restic -r /r backup /a, /b | restic -r /r backup "/a, /b"
        restic -r /r backup /home | restic -r /r backup -n /home
        sudo -u bob restic -r /r backup /home | sudo -u eve restic -r /r backup /home
        env -C /a restic -r /r backup . | env -C /b restic -r /r backup .
        restic --repository-file /etc/a backup /home | restic --repository-file /etc/b backup /home
    """,
    "borg": """
        borg create --stdin-name a /r::x - | borg create --stdin-name b /r::x -
        borg create /r::web-{now} /srv | borg create /r::db-{now} /srv
        borg create /r::web-2026-11-30 /srv | borg create /r::db-2026-11-30 /srv
        borg create /r::{now} /srv | borg create /r::home-{now} /srv
        borg create /r::101 /srv | borg create /r::102 /srv
        borg create /r::a /srv | borg create /r2::a /srv
        env BORG_REPO=/a borg create ::x /srv | env BORG_REPO=/b borg create ::x /srv
        borg create --rsh "ssh -p 22" h:r::x /srv | borg create --rsh "ssh -p 23" h:r::x /srv
        env "BORG_RSH=ssh -p 22" borg create h:r::x /s | env "BORG_RSH=ssh -p 23" borg create h:r::x /s
        borg create --patterns-from /etc/a /r::x / | borg create --patterns-from /etc/b /r::x /
        borg create --pattern +/home /r::x / | borg create --pattern +/etc /r::x /
        borg create --content-from-command /r::x -- pg_dump a | borg create --content-from-command /r::x -- pg_dump b
        borg create --paths-from-command /r::x -- find /a | borg create --paths-from-command /r::x -- find /b
        borg create ssh://h:22/./r::x /srv | borg create ssh://h:23/./r::x /srv
        borg -r /r create web /srv | borg -r /r create db /srv
    """,
    "rclone": """
        rclone copy :drive,team_drive=a:b /x | rclone copy :drive,team_drive=c:b /x
        rclone copy /x ":webdav,url='https://a/d':b" | rclone copy /x ":webdav,url='https://c/d':b"
        rclone copy ":union,upstreams='a: b:':x" /x | rclone copy ":union,upstreams='a: c:':x" /x
        rclone copy d: /b | rclone copy --drive-shared-with-me d: /b
        rclone --config /a.conf sync /home r:b | rclone --config /b.conf sync /home r:b
        env RCLONE_CONFIG=/a.conf rclone sync /home r:b | env RCLONE_CONFIG=/b.conf rclone sync /home r:b
        rclone sync /home r:b | rclone sync /home s:b
        rclone sync /home :sftp,host=a:b | rclone sync /home :sftp,host=c:b
        rclone sync /home :sftp:b --sftp-host a | rclone sync /home :sftp:b --sftp-host c
        rclone sync /home :s3:b --s3-endpoint http://a | rclone sync /home :s3:b --s3-endpoint http://c
        rclone sync /home :s3:b --s3-region us-east-1 | rclone sync /home :s3:b --s3-region eu-west-2
        rclone sync /home :b2:b --b2-endpoint http://a | rclone sync /home :b2:b --b2-endpoint http://c
        rclone sync /home d: --drive-team-drive abc | rclone sync /home d: --drive-team-drive abd
        rclone copy / r:b --files-from /l1 | rclone copy / r:b --files-from /l2
        rclone copy /p r:b --include *.jpg | rclone copy /p r:b --include *.png
        rclone copy /p r:b --max-size 1M | rclone copy /p r:b --min-size 1M
        rclone copy /p r:b --filter-from /f1 | rclone copy /p r:b --filter-from /f2
        rclone copy /p/Sun r:b | rclone copy /p/Mon r:b
        sudo -u bob rclone sync /srv r:b | sudo -u eve rclone sync /srv r:b
        rclone copy /p/2025 r:b | rclone copy /p/2026 r:b
    """,
    "rsync": """
        rsync -a -e "sshpass -p x ssh -p 22" /home h:/b | rsync -a -e "sshpass -p x ssh -p 23" /home h:/b
        rsync -a --port 873 /home h::m | rsync -a --port 8730 /home h::m
        rsync -a -e "ssh -p 22" /home h:/b | rsync -a -e "ssh -p 23" /home h:/b
        rsync -a "--rsh=ssh -i /k1" /home h:/b | rsync -a "--rsh=ssh -i /k2" /home h:/b
        env "RSYNC_RSH=ssh -p 22" rsync -a /home h:/b | env "RSYNC_RSH=ssh -p 23" rsync -a /home h:/b
        rsync -a -e "docker exec -i a" /home :/b | rsync -a -e "docker exec -i c" /home :/b
        rsync -a --files-from=/l1 / h:/b | rsync -a --files-from=/l2 / h:/b
        rsync -a --include=*.jpg --exclude=* /p/ /b | rsync -a --include=*.png --exclude=* /p/ /b
        rsync -a /home bob@h:/b | rsync -a /home eve@h:/b
        rsync -a /home h:/b | rsync -a /home h::b
        rsync -a /srv/Sun /b | rsync -a /srv/Mon /b
        rsync -a /customers/11-30 /b | rsync -a /customers/11-29 /b
        rsync -a /srv/2025/ /b | rsync -a /srv/2026/ /b
        rsync -a /disk1/ /b | rsync -a /disk2/ /b
        rsync -a /home /b/Fri | rsync -a /home /b/Sat
        rsync -a /home /b/vm-101 | rsync -a /home /b/vm-102
        rsync -a /.snapshots/7/snapshot/a /b | rsync -a /.snapshots/7/snapshot/c /b
    """,
    "tar": """
        tar cf /b/home-2026-11-30-12.tar /x | tar cf /b/home-2026-11-30-13.tar /x
        tar cf /b/2026-11-30-101.tar /x | tar cf /b/2026-11-30-102.tar /x
        tar cf /b.tar -C /a data | tar cf /b.tar -C /c data
        tar cf /b.tar -C /a data -C /c conf | tar cf /b.tar -C /a conf -C /c data
        tar cf /b.tar -C /a x -C b y | tar cf /b.tar -C /a x -C /b y
        tar czfC /b.tgz /a data -C /c more | tar czfC /b.tgz /d data -C /c more
        tar cf /b.tar /vm-101 | tar cf /b.tar /vm-102
        tar cf /b.tar /home | tar cf /c.tar /home
        tar cf /b-101.tar /home | tar cf /b-102.tar /home
        tar cf /b.tar -T /l1 | tar cf /b.tar -T /l2
        tar cf /b.tar /srv/Sun | tar cf /b.tar /srv/Mon
        tar cf /home-2026-11-30.tar /home | tar cf /etc-2026-11-30.tar /home
        tar cf /b.tar /srv/2025 | tar cf /b.tar /srv/2026
        tar cf h1:/b.tar /home | tar cf h2:/b.tar /home
        tar cf /dev/null /home | tar cf /b.tar /home
    """,
    "duplicity": """
        duplicity /home file:///a | duplicity /home file:///b
        duplicity /home s3://h/b1 | duplicity /home s3://h/b2
        duplicity --include /home --exclude ** / file:///a | duplicity --include /etc --exclude ** / file:///a
        duplicity --include-filelist /l1 / file:///a | duplicity --include-filelist /l2 / file:///a
        duplicity --file-prefix a- / file:///a | duplicity --file-prefix b- / file:///a
        duplicity --name one /home file:///a | duplicity --name two /home file:///a
        duplicity --s3-endpoint-url http://a / s3://b | duplicity --s3-endpoint-url http://c / s3://b
        duplicity "--ssh-options=-p 22" / sftp://h/b | duplicity "--ssh-options=-p 23" / sftp://h/b
        duplicity full /srv/Sun file:///a | duplicity full /srv/Mon file:///a
        duplicity full /srv/11-30 file:///a | duplicity full /srv/11-29 file:///a
        duplicity /vm-101 file:///a | duplicity /vm-102 file:///a
        duplicity / sftp://a@h/b | duplicity / sftp://c@h/b
    """,
    "kopia": """
        kopia --config-file /a.conf snapshot create /home | kopia --config-file /b.conf snapshot create /home
        env KOPIA_CONFIG_PATH=/a kopia snapshot create /home | env KOPIA_CONFIG_PATH=/b kopia snapshot create /home
        kopia snapshot create /home | kopia snapshot create --all
        kopia snapshot create --override-source a@h:/x /x | kopia snapshot create --override-source b@h:/x /x
        kopia snapshot create --tags a:b /x | kopia snapshot create --tags a:c /x
        kopia snapshot create --stdin-file a - | kopia snapshot create --stdin-file b -
        kopia snapshot create /srv/Sun | kopia snapshot create /srv/Mon
        kopia snapshot create /vm-101 | kopia snapshot create /vm-102
        kopia snapshot create /srv/2025 | kopia snapshot create /srv/2026
        kopia snapshot create /c/11-30 | kopia snapshot create /c/11-29
        sudo -u bob kopia snapshot create /x | sudo -u eve kopia snapshot create /x
        kopia snapshot create a | kopia snapshot create b
    """,
    "rdiff-backup": """
        rdiff-backup /home /a | rdiff-backup /home /b
        rdiff-backup --include /home --exclude ** / /a | rdiff-backup --include /etc --exclude ** / /a
        rdiff-backup --include-globbing-filelist /l1 / /a | rdiff-backup --include-globbing-filelist /l2 / /a
        rdiff-backup "--remote-schema=ssh -p 22 {h} x" /h h::/a | rdiff-backup "--remote-schema=ssh -p 23 {h} x" /h h::/a
        rdiff-backup /home h1::/a | rdiff-backup /home h2::/a
        rdiff-backup --max-file-size 1000 /home /a | rdiff-backup --min-file-size 1000 /home /a
        rdiff-backup /srv/Sun /a | rdiff-backup /srv/Mon /a
        rdiff-backup /vm-101 /a | rdiff-backup /vm-102 /a
        rdiff-backup /srv/2025 /a | rdiff-backup /srv/2026 /a
        rdiff-backup backup /c/11-30 /a | rdiff-backup backup /c/11-29 /a
        sudo -u bob rdiff-backup /x /a | sudo -u eve rdiff-backup /x /a
        rdiff-backup backup /disk1 /a | rdiff-backup backup /disk2 /a
    """,
    "dar": """
        dar -c /b/home -R /home | dar -c /b/etc -R /etc
        dar -c /b/full -R /home | dar -c /b/incr -A /b/full -R /home
        dar -c /a/home -R /home | dar -c /b/home -R /home
        dar -c /b/x -R / -g home | dar -c /b/x -R / -g etc
        dar -c /b/x -R / -g home | dar -c /b/x -R / -g home -g etc
        dar -c /b/x -R / -[ /etc/a.list | dar -c /b/x -R / -[ /etc/b.list
        dar -c /b/x -B /etc/a.dcf | dar -c /b/x -B /etc/b.dcf
        dar -c /b/x -R /srv -I *.jpg | dar -c /b/x -R /srv -I *.png
        dar -c /b/x -R /srv/Sun | dar -c /b/x -R /srv/Mon
        dar -c /b/x -R /vm-101 | dar -c /b/x -R /vm-102
        dar -c /b/x -R /home | dar -e -c /b/x -R /home
        sudo -u bob dar -c /b/x -R /x | sudo -u eve dar -c /b/x -R /x
        dar -c - -R /home | dar -c /b/home -R /home
    """,
    "command": """
        env PGDATABASE=a pg_dump | env PGDATABASE=b pg_dump
        borgmatic -c a.yaml | borgmatic -c b.yaml
        pg_dump -f /b/a.sql db | pg_dump -f /b/b.sql db
        /opt/a/backup.sh | /opt/b/backup.sh
        /opt/a/backup.sh | backup.sh
        /tmp/tmp.Xy12Ab/backup | /tmp/tmp.Zz98Qq/backup
        sh /tmp/tmp.Xy12Ab/backup.sh | sh /tmp/tmp.Zz98Qq/backup.sh
        env A=1 x | env A=2 x
        env A=1 x | x
        env A=1 x | env B=1 x
        env A=1 B=2 x | env A=2 B=1 x
        sudo A=1 x | sudo A=2 x
        systemd-run --scope -E A=1 x | systemd-run --scope -E A=2 x
        sh -c "A=1 x" | sh -c "A=2 x"
        sh -c "a b" | sh -c a b
        x "a b" | x a b
        x "" a | x a
        sudo -u bob x | sudo -u eve x
        gosu bob x | gosu eve x
        env -C /a x | env -C /b x
        systemd-run --wait --pipe --working-directory=/a x | systemd-run --wait --pipe --working-directory=/b x
        systemd-run --wait --pipe -p User=bob x | systemd-run --wait --pipe -p User=eve x
        sudo -D /a ./x | sudo -D /b ./x
        ssh a backup | ssh b backup
        ssh -p 22 a backup | ssh -p 23 a backup
        ssh h "pg_dump a > /a.sql" | ssh h "pg_dump b > /a.sql"
        borgmatic --config /a.yaml | borgmatic --config /b.yaml
        borgmatic --repository a | borgmatic --repository b
        sh -c "tar czf /x.tgz /srv/Sun" | sh -c "tar czf /x.tgz /srv/Mon"
        backup.sh /customers/11-30 | backup.sh /customers/11-29
        backup.sh 2025-01-01 | backup.sh 2025-02-01
        backup.sh vm-101 | backup.sh vm-102
        vzdump 101 | vzdump 102
        pg_dump -h a db | pg_dump -h b db
        docker exec a pg_dump db | docker exec b pg_dump db
    """,
}
SAME = {
    "restic": """
        restic -r /r backup /home | restic -r /r backup /home/ -v --exclude x --limit-upload 5
        restic -r /r backup /home /etc | restic backup /etc /home -r /r
        restic -r /r backup /home | nice -n 10 ionice -c3 timeout 3h restic -r /r backup --json /home
        restic -r /r backup /home | env RESTIC_REPOSITORY=/r restic backup /home
        restic -r /r backup /home | env LC_ALL=C restic -r /r -p /k backup /home
        restic -r /r backup -H a /x | env RESTIC_HOST=a restic -r /r backup /x
        restic -r /r backup /x --tag 2026-11-29 | restic -r /r backup /x --tag 2026-11-30
        restic -r /r backup /home/.snapshots/71/snapshot | restic -r /r backup /home/.snapshots/72/snapshot
        restic -r /r backup /tmp/tmp.Xy12Ab34Cd | restic -r /r backup /tmp/tmp.q0Zs7tKl2m
        restic -r /r backup /mnt/snap-2026-11-01 | restic -r /r backup /mnt/snap-2026-11-30
        restic -r /r backup /bk/db-2026-11-29.sql | restic -r /r backup /bk/db-2026-11-30.sql
        restic -r /r backup /var/log/2026-11-29 | restic -r /r backup /var/log/2026-11-30
        sudo restic -r /r backup /home | sudo -u root restic -r /r backup /home
        restic -r /r backup --files-from /dev/fd/63 | restic -r /r backup --files-from /dev/fd/62
        restic -r /r backup --files-from l.txt | restic -r /r backup --files-from /srv/l.txt
    """,
    "borg": """
        borg create /r::{now} /srv | borg create /r::{hostname}-{now:%F} /srv
        borg create /r::2026-11-29 /srv | borg create /r::2026-11-30T03:00:01 /srv
        borg create /r::{now} /srv | borg create /r::2026-11-30 /srv
        borg create /r::home-2026-11-29 /srv | borg create /r::home-2026-11-30 /srv
        borg create /r::home-20261129-0300 /srv | borg create /r::home-20261130-0301 /srv
        borg create /r::a /srv | env BORG_REPO=/r borg create ::a /srv
        borg create /r::a /srv | borg create --stats --compression zstd -e x /r::a /srv
        borg create /r::a /srv | env BORG_PASSPHRASE=x borg create /r::a /srv
        borg create /r::a /.snapshots/1/snapshot | borg create /r::a /.snapshots/22/snapshot
        borg create /r::a /home/.zfs/snapshot/d-2026-11-01 | borg create /r::a /home/.zfs/snapshot/d-2026-11-30
        borg create /r::a /x /y | borg create /r::a /y /x
        borg create /r::a-1796007600 /x | borg create /r::a-1796007660 /x
    """,
    "rclone": """
        rclone sync /home r:b | rclone -v --transfers 8 --bwlimit 1M --exclude x sync /home/ r:b
        rclone --config /a.conf sync /home r:b | env RCLONE_CONFIG=/a.conf rclone sync /home r:b
        rclone sync /home r:b --backup-dir r:old/2026-11-29 | rclone sync /home r:b --backup-dir r:old/2026-11-30
        rclone copy /bk/a-2026-11-29.tgz r:b | rclone copy /bk/a-2026-11-30.tgz r:b
        rclone copy /home r:b/2026-11-26 | rclone copy /home r:b/2026-11-30
        rclone sync /home r:b --log-file /l1 | rclone sync /home r:b --log-file /l2
        rclone sync /home r:b --progress | rclone sync /home r:b
        rclone sync . r:b | rclone sync /srv r:b
        rclone copy /home r:b/2026-11 | rclone copy /home r:b/DATE
        rclone copy /home r:b --s3-secret-access-key abcD1efg2H | rclone copy /home r:b
        rclone copy /home :sftp,host=a,pass=abc:b | rclone copy /home :sftp,host=a,pass=abd:b
        nohup rclone sync /home r:b | rclone sync /home r:b
    """,
    "rsync": """
        rsync -a /home/ /b/2026-11-26 | rsync -a --link-dest=/b/2026-11-29 /home/ /b/2026-11-30
        rsync -a /home /b | rsync -avz --delete --exclude x --bwlimit=5 /home/ /b/
        rsync -a /home h:/b | rsync -a -e ssh /home h:/b
        rsync -a /home h:/b/Mon | rsync -a /home h:/b/DATE
        rsync -a /home h:/b/11-30 | rsync -a /home h:/b/DATE
        rsync -a /home h:/b/20261129 | rsync -a /home h:/b/20261130
        rsync -a /home /tmp/tmp.Xy12Ab/b | rsync -a /home /tmp/tmp.Zz98Qq/b
        rsync -a /proc/4711/root/srv /b | rsync -a /proc/815/root/srv /b
        rsync -a --backup-dir=/o/1 /home /b | rsync -a --backup-dir=/o/2 /home /b
        rsync -a /mnt/snapshots/hourly-2026-11-29_03/ /b | rsync -a /mnt/snapshots/hourly-2026-11-30_04/ /b
        rsync -a /home h:/b | env "RSYNC_RSH=ssh" rsync -a /home h:/b
        rsync -a --password-file=/k1 /home h::b | rsync -a --password-file=/k2 /home h::b
    """,
    "tar": """
        tar cf /b/a-2026-11-30_03.tar /x | tar cf /b/a-2026-11-29_03.tar /x
        tar cf /b/a-202611261159.tar /x | tar cf /b/a-202611272301.tar /x
        tar cf /b/a-1796007600123456789.tar /x | tar cf /b/a-1796007660123456789.tar /x
        tar czf /b/home-2026-11-29.tar.gz /home | tar czf /b/home-2026-11-30.tar.gz /home
        tar czf /b/Mon.tgz /home | tar -c -z -f /b/DATE.tgz /home
        tar cf /b.tar -C / home | tar cf /b.tar /home
        tar cf /b.tar -C /a x -C /b y | tar cf /b.tar /a/x /b/y
        tar cf /b.tar -C /a x -C b y | tar cf /b.tar /a/x /a/b/y
        tar cf /b.tar --exclude a /home | tar cf /b.tar --exclude b /home
        tar cf /b.tar home | tar cf /srv/../b.tar /srv/home
        tar cf /tmp/tmp.Xy12Ab/a.tar /x | tar cf /tmp/tmp.Qq98Zz/a.tar /x
        tar cf /b/1796007600.tar /x | tar cf /b/1796007660.tar /x
        tar cf /b/home-20261129T030000.tar /home | tar cf /b/home-20261130T030000.tar /home
        tar cf /b/x.tar -g /s /home | tar cvf /b/x.tar /home
        env GZIP=-9 tar cf /b/x.tar /home | tar cf /b/x.tar /home
    """,
    "duplicity": """
        duplicity /home file:///a | duplicity full /home file:///a
        duplicity /home file:///a | duplicity incremental --volsize 50 -v8 /home file:///a
        duplicity /home file:///a/2026-11-29 | duplicity /home file:///a/2026-11-30
        duplicity --exclude x /home file:///a | duplicity --exclude y /home file:///a
        duplicity --encrypt-key A1 /home file:///a | duplicity /home file:///a
        duplicity --log-file /l /home file:///a | duplicity /home file:///a
        duplicity --tempdir /t /home/ file:///a | duplicity /home file:///a
        duplicity / ftp://bob:pw1@h/a | duplicity / ftp://bob:pw2@h/a
        env PASSPHRASE=x duplicity /home file:///a | duplicity /home file:///a
        duplicity /.snapshots/1/snapshot file:///a | duplicity /.snapshots/2/snapshot file:///a
        duplicity home file:///a | duplicity /srv/home file:///a
        nice duplicity /home file:///a | duplicity /home file:///a
    """,
    "kopia": """
        kopia snapshot create /home | kopia snap create --parallel 4 /home/
        kopia --config-file /a snapshot create /x | env KOPIA_CONFIG_PATH=/a kopia snapshot create /x
        kopia snapshot create /a /b | kopia snapshot create /b /a
        kopia snapshot create /mnt/snap/2026-11-01 | kopia snapshot create /mnt/snap/2026-11-30
        kopia snapshot create --description a /x | kopia snapshot create --description b /x
        kopia snapshot create --password abC1def2 /x | kopia snapshot create /x
        kopia snapshot create home | kopia snapshot create /srv/home
        kopia --log-level debug snapshot create /x | kopia snapshot create /x
        kopia snapshot create /.snapshots/1/snapshot | kopia snapshot create /.snapshots/2/snapshot
        kopia --config-file a snapshot create /x | kopia --config-file /srv/a snapshot create /x
        env KOPIA_PASSWORD=x kopia snapshot create /x | kopia snapshot create /x
        time kopia snapshot create /x | kopia snapshot create /x
    """,
    "rdiff-backup": """
        rdiff-backup /home /a | rdiff-backup -v5 --print-statistics /home/ /a/
        rdiff-backup /home /a | rdiff-backup backup /home /a
        rdiff-backup --exclude x /home /a | rdiff-backup --exclude y /home /a
        rdiff-backup /home /a/2026-11-29 | rdiff-backup /home /a/2026-11-30
        rdiff-backup home /a | rdiff-backup /srv/home /a
        rdiff-backup /.snapshots/1/snapshot /a | rdiff-backup /.snapshots/2/snapshot /a
        rdiff-backup --tempdir /t /home /a | rdiff-backup /home /a
        rdiff-backup /mnt/snap-20261101 /a | rdiff-backup /mnt/snap-20261130 /a
        rdiff-backup --force /home /a | rdiff-backup /home /a
        ionice -c3 rdiff-backup /home /a | rdiff-backup /home /a
        env LANG=C rdiff-backup /home /a | rdiff-backup /home /a
        rdiff-backup /tmp/tmp.Xy12Ab/s /a | rdiff-backup /tmp/tmp.Zz98Qq/s /a
    """,
    "dar": """
        dar -c /b/home -R /home | dar --create /b/home --fs-root=/home
        dar -c /b/home -R /home | dar -Q -q -R /home -c /b/home
        dar -c /b/home-2026-11-29 -R /home | dar -c /b/home-2026-11-30 -R /home
        dar -c /b/home -R /home -z9 | dar -c /b/home -R /home -zxz:5
        dar -c /b/home -R /home -X *.o | dar -c /b/home -R /home -X *.tmp
        dar -c /b/home -R /home -P cache | dar -c /b/home -R /home
        dar -c /b/home -R /home -K aes:abC1def2 | dar -c /b/home -R /home
        dar -c /b/home -R /home -s 1G -S 500M | dar -c /b/home -R /home
        dar -c /b/x -R / -g home -g etc | dar -c /b/x -R / -g etc -g home
        dar -c /b/x -R / -g home | dar -c /b/x -R /home
        dar -c /b/diff -A /b/full-2026-11-28 -R /x | dar -c /b/diff -A /b/full-2026-11-29 -R /x
        dar -c /b/x -R home | dar -c /b/x -R /srv/home
        nice dar -c /b/home -R /home | dar -c /b/home -R /home
        dar -c /b/home -w -R /home | dar -c /b/home -wa -R /home
    """,
    "command": """
        mongodump --out /b/Mon | mongodump --out /b/DATE
        xtrabackup --backup --target-dir=/b/2026-11-26 | xtrabackup --backup --target-dir=/b/2026-11-30
        zfs send -i tank@2026-11-28 tank@2026-11-29 | zfs send -i tank@2026-11-29 tank@2026-11-30
        pg_dump db | /usr/bin/pg_dump db
        ./backup.sh | /srv/backup.sh
        nice -n 5 pg_dump db | timeout 3h /usr/local/bin/pg_dump db
        env LC_ALL=C TZ=UTC pg_dump db | pg_dump db
        sudo pg_dump db | sudo -u root pg_dump db
        sudo -u bob x | runuser -u bob -- x
        env STAMP=2026-11-29 x | env STAMP=2026-11-30 x
        pg_dump -f /b/db-2026-11-26.sql db | pg_dump -f /b/db-2026-11-30.sql db
        sh -c "pg_dump db > /b/2026-11-26" | sh -c "pg_dump db > /b/2026-11-30"
        sh -c "pg_dump db > /b/Mon.sql" | sh -c "pg_dump db > /b/DATE.sql"
        backup.sh 2026-11-29 | backup.sh 2026-11-30
        backup.sh /tmp/tmp.Xy12Ab | backup.sh /tmp/tmp.Zz98Qq
        ssh h backup now | ssh h "backup now"
        bash -c "cd /srv && tar cf /b/x.tar ." | nice bash -c "cd /srv && tar cf /b/x.tar ."
        env -C /srv ./x.sh | env -C /srv /srv/x.sh
        flock -n /run/l x | x
    """,
}
IN_FOLDERS = """
    True: sh backup.sh
    True: ./backup.sh
    True: bash -x ../backup.sh
    True: python3 -u tools/backup.py
    True: make backup
    True: docker compose exec -T db pg_dump db
    True: zip -r /b/x.zip .
    True: 7z a /b/x.7z data
    True: cp -a data /b
    True: backup.sh --source=./data
    True: sh -c 'tar czf /b/x.tgz data'
    True: sh -c 'pg_dump db > db.sql'
    True: sh -c './dump.sh | gzip > /b/x.gz'
    True: nice sh -c 'if true; then rsync -a . /b; fi'
    True: git push backup
    True: docker compose -f c.yml exec -T db pg_dump db
    True: borgmatic -c a.yaml
    True: pg_dump --file=db.sql db
    True: uv run backup.py
    False: pg_dump db
    False: /opt/backup.sh daily
    False: sh /opt/backup.sh
    False: python3 -m borgmatic
    False: borgmatic -c /etc/a.yaml
    False: pg_dump -f /b/db.sql db
    False: psql -c "copy a.b to stdout"
    False: gpg -r bob@example.org -o /b/x.gpg -e /b/x
    False: mysqldump --defaults-file=/etc/my.cnf db
    False: make -C /srv backup
    False: docker exec db pg_dump db
    False: docker compose -f /srv/c.yml exec -T db pg_dump db
    False: zip -r /b/x.zip /srv
    False: 7z a /b/x.7z /srv
    False: sh -c 'restic -r /r backup /home && restic -r /r check'
    False: sh -c 'cd /srv && tar czf /b/x.tgz .'
    False: sh -c 'pg_dump db 2>&1 > /b/db.sql'
    False: sh -c 'rclone sync /home r:b'
    False: sh -c 'borg create ssh://h/./r::x /home'
    False: ssh h tar cz . -f x.tgz
"""


def name(command: str, folder: str = "/srv", pids: tuple[int, ...] = ()) -> str:
    """Return the name of the job of a whole command."""
    argv = shlex.split(command)
    engine, at = engines.recognise(argv, {})
    plan = engine.plan(argv, at, {})
    return engines.job_name(
        engine.name, plan.repository, plan.sources, kind=plan.kind, folder=folder, apart=plan.apart, pids=pids
    )


def pairs(table: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return each line of a table: whose it is, and its two commands."""
    return [
        (engine, *map(str.strip, line.split(" | ")))  # type: ignore[misc]
        for engine, lines in table.items()
        for line in lines.strip().splitlines()
    ]


@pytest.fixture(autouse=True)
def night(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is three o'clock in the night to Monday, the 30th of November."""
    monkeypatch.setattr(clock, "now_ms", lambda: NOW)
    monkeypatch.setattr(clock, "local", lambda ms: datetime.fromtimestamp(ms / 1000, UTC))


@pytest.mark.parametrize(("engine", "one", "other"), pairs(DIFFERENT))
def test_two_backups_are_two_jobs(engine: str, one: str, other: str) -> None:
    """Else the failure of one, or that it never ran, would hide behind the success of the other."""
    assert engines.recognise(shlex.split(one), {})[0].name == engine
    assert name(one) != name(other)


@pytest.mark.parametrize(("engine", "one", "other"), pairs(SAME))
def test_one_backup_is_one_job(engine: str, one: str, other: str) -> None:
    """However it is spelled, how fast it goes and what it leaves out, and whatever the night writes into it."""
    assert engines.recognise(shlex.split(one), {})[0].name == engine
    assert name(one) == name(other)


def test_every_engine_is_in_both_tables() -> None:
    """A dozen lines each, so that a new engine is not forgotten."""
    every = {known.name for known in engines.ENGINES} | {engines.COMMAND.name}
    for table in (DIFFERENT, SAME):
        assert set(table) == every
        assert all(len(lines.strip().splitlines()) >= 12 for lines in table.values())


@pytest.mark.parametrize(("engine", "one", "other"), [*pairs(DIFFERENT), *pairs(SAME)])
def test_a_name_is_the_same_every_night_and_from_every_folder(
    engine: str, one: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command without a date or a relative path keeps one name for ever: another would be a job that never runs again."""
    whole = [
        one
        for one in (one, other)
        if not any(mark in one for mark in ("Mon", "Sun", "11", "2026", "Fri", "Sat", "17960"))
    ]
    before = [name(command) for command in whole]
    monkeypatch.setattr(clock, "now_ms", lambda: NOW + 5 * DAY)
    assert [name(command) for command in whole] == before, engine
    assert all(len(one) <= 120 and one.isprintable() for one in before)


@pytest.mark.parametrize("line", IN_FOLDERS.strip().splitlines())
def test_the_folder_counts_where_the_command_depends_on_it(line: str) -> None:
    """`sh backup.sh` in two folders is two scripts; `pg_dump db` is the same from wherever it is called."""
    counts, _, command = line.strip().partition(": ")
    assert (name(command, "/a") != name(command, "/b")) is (counts == "True")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("restic -r /mnt/backup backup /home", "restic /home to /mnt/backup"),
        ("restic -r /mnt/b backup /home --host web1", "restic /home to /mnt/b with host=web1"),
        ("borg create /mnt/borg::{hostname}-{now} /home", "borg /home to /mnt/borg"),
        ("borg create /mnt/borg::db-2026-11-30 /srv", "borg /srv to /mnt/borg with archive=db-DATE"),
        ("rsync -a -e 'ssh -p 2222' /home h:/b", "rsync /home to h:/b with rsh=ssh -p 2222"),
        ("rsync -a -e 'sshpass -p hunter2x ssh' /home h:/b", "rsync /home to h:/b with rsh=sshpass -p *** ssh"),
        ("sudo -u postgres pg_dump db", "pg_dump db with user=postgres"),
        ("env PGPASSWORD=hunter2x PGHOST=a pg_dump db", "pg_dump db with $PGHOST=a, $PGPASSWORD=***"),
        ("/opt/a/backup.sh", "/opt/a/backup.sh"),
        ("make backup", "make backup with folder=/srv"),
    ],
)
def test_the_name_says_what_tells_the_job_apart(command: str, expected: str) -> None:
    """A person sees why there are two rows; no secret is shown, and usual names are as they were."""
    assert name(command) == expected


def test_the_process_of_a_script_is_no_part_of_a_name() -> None:
    """A script that writes to `/tmp/dump.$$` is one job; a number that is no process's stays."""
    assert name("tar cf /tmp/dump.4711.tar /x", pids=(4711,)) == name("tar cf /tmp/dump.4712.tar /x", pids=(4712,))
    assert name("tar cf /tmp/dump.4711.tar /x", pids=(1,)) != name("tar cf /tmp/dump.4712.tar /x", pids=(1,))
    assert name("tar cf /vm-101.tar /x", pids=(101,)) != name("tar cf /vm-102.tar /x", pids=(102,))


def test_variables_that_a_program_knows_tell_its_jobs_apart() -> None:
    """`PGDATABASE=a pg_dump`, wherever it is set; a variable that only a script knows cannot be seen to matter."""
    names = set()
    for environ in ({"PGDATABASE": "a"}, {"PGDATABASE": "b"}, {"PGDATABASE": "b", "EDITOR": "vi"}):
        plan = engines.COMMAND.plan(["pg_dump"], 0, environ)
        names.add(engines.job_name("command", None, plan.sources, apart=plan.apart))
    assert names == {"pg_dump with $PGDATABASE=a", "pg_dump with $PGDATABASE=b"}
    secret = engines.COMMAND.plan(["pg_dump"], 0, {"PGHOST": "postgres://bob:hunter2x@h/db"})
    assert "hunter2x" not in "".join(secret.apart)


@pytest.mark.parametrize("part", ["/tmp/aB1cD2.aB", "snap@2026-11-30", "/b/2026-11-30>/x.2025-01-01", "/Sun/Mon "])
def test_a_long_command_does_not_wait_for_its_name(part: str) -> None:
    """Each character is looked at a bounded number of times, and of an endless command only the beginning is searched."""
    found = engines.job_name("rsync", "/b", (part * 40_000,))
    assert len(found) <= 120
    assert found != engines.job_name("rsync", "/b", (part * 40_000 + "/y",))


@pytest.mark.parametrize("hours", [0, 14, -11])
def test_today_is_the_users_today(hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`date +%a` prints the local day, `date -u` the other; both are today's, and no third one."""
    monkeypatch.setattr(clock, "local", lambda ms: datetime.fromtimestamp(ms / 1000, timezone(timedelta(hours=hours))))
    there = clock.local(NOW)
    assert name(f"rsync -a /x /b/{there:%m-%d}") == name("rsync -a /x /b/11-30") == "rsync /x to /b/DATE"
    assert name("rsync -a /x /b/12-02") == "rsync /x to /b/12-02"


@pytest.mark.parametrize(
    ("command", "shared"),
    [
        ("restic -r /r backup --files-from /dev/fd/63", True),
        ("restic -r /r backup --files-from /tmp/tmp.Ab3dEf7h9K", True),
        ("restic -r /r backup --files-from /etc/list", False),
        ("restic -r /r backup /tmp/tmp.Ab3dEf7h9K", False),
        ("rclone copy / r:b --files-from /dev/fd/63", True),
        ("rclone copy / r:b --files-from /etc/list", False),
        ("rsync -a --files-from=/tmp/tmp.Ab3dEf7h9K / nas:/b", True),
        ("borg create --patterns-from /tmp/borgmatic-x1_2abcd/borgmatic/tmp0_a1b2c3 /r::{now}", True),
        ("borg create /r::{now} /home", False),
        ("tar -czf /b/x.tgz -T /dev/fd/63", True),
    ],
)
def test_a_list_that_each_run_has_anew_may_be_that_of_another_backup(command: str, shared: bool) -> None:
    """Two such commands have one name, so it is known that the success of one may be taken for that of the other."""
    argv = command.split()
    engine, at = engines.recognise(argv, {})
    assert is_shared(engine.plan(argv, at, {})) is shared
