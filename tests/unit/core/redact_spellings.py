"""Ways in which a secret, `{S}`, stands in a command line, an environment or an output; and commands that hold none."""

ENGINES = r"""
restic -r rest:https://me:{S}@host:8000/repo backup /home
restic -r rest:http://:{S}@host/ backup /home
restic -r sftp://me:{S}@host:22//srv/repo backup /home
restic -r sftp:me:{S}@host:/srv/repo backup /home
restic --repo=rest:https://me:{S}@host/ backup
restic --repo rest:https://{S}@host/ backup
restic -rrest:https://me:{S}@host/ backup
restic -r rest:https://me:{S}@{S}@host/ backup
restic -r rest:https://me:a/{S}/b@host/ backup
restic --from-repo rest:https://me:{S}@host/ copy
restic --password-command {S} backup
restic --password-command={S} backup
restic --password-command "echo {S}" backup
restic --from-password-command "echo {S}" copy
restic -o s3.secret-access-key={S} backup
restic -o s3.access-key={S} backup
restic --option=b2.account-key={S} backup
restic --option azure.account-key={S} backup
restic -o "sftp.command=sshpass -p {S} ssh u@h -s sftp" backup /x
restic -o sftp.command="sshpass -p{S} ssh u@h -s sftp" backup /x
restic -o "sftp.args=-o ProxyCommand='sshpass -p {S} ssh j'" backup /x
restic --http-user-agent {S} backup /x
restic --some-new-option {S} backup /x
restic backup --some-new-option={S} /x
restic backup --some-new-option {S} /x
restic -Z{S} backup /x
restic key add --new-password-command "echo {S}"
env RESTIC_PASSWORD={S} restic backup
env -i RESTIC_PASSWORD={S} PATH=/bin restic backup /x
sudo AWS_SECRET_ACCESS_KEY={S} restic backup
sudo AWS_SECRET_ACCESS_KEY={S},x restic backup
sudo -E B2_ACCOUNT_KEY={S} nice -n 10 restic backup /x
systemd-run --setenv=RESTIC_PASSWORD={S} --scope restic backup
systemd-run -E RESTIC_PASSWORD={S} --wait --pipe restic backup
borg create --token={S} ssh://u:{S}@h/./r::a /x
borg create --rsh "sshpass -p {S} ssh" ssh://h/./r::a /x
borg create --rsh="sshpass -p {S} ssh" ssh://h/./r::a /x
borg create --comment {S} /r::a /x
borg create --comment "made with {S} today" /r::a /x
env BORG_PASSPHRASE={S} borg create /r::a /x
env BORG_PASSCOMMAND="echo {S}" borg create /r::a /x
borg create --unknown-option {S} /r::a /x
borg --rsh 'ssh -o ProxyCommand="sshpass -p {S} ssh jump"' create h:r::a /x
rclone sync /a :sftp,host=h,user=u,pass={S}:/b
rclone sync /a :s3,access_key_id=AK,secret_access_key={S}:bucket
rclone sync /a :webdav,url=https://h/,user=u,pass='{S}':/b
rclone sync /a :foo,newkey={S}:/b
rclone --sftp-pass {S} sync a b
rclone --sftp-pass={S} sync a b
rclone --webdav-bearer-token {S} sync a b
rclone sync a b --s3-secret-access-key {S}
rclone sync a b --b2-key {S}
rclone sync a b --crypt-password {S} --crypt-password2 {S}
rclone sync a b --header "Authorization: Bearer {S}"
rclone sync a b --header "X-Api-Key: {S}"
rclone sync a b --header "X-Custom: {S}"
rclone sync a b --header X-Custom:{S}
rclone sync a b --header-upload "Cookie: session={S}"
rclone sync a b --user-agent {S}
rclone sync a b --rc-pass {S}
rclone sync a b --rc --rc-user u --rc-pass={S}
rclone sync a b --sftp-ssh "sshpass -p {S} ssh u@h"
rclone sync a b --password-command "echo {S}"
rclone sync a b --unheard-of {S}
rclone sync a b --http-url https://me:{S}@host/
rclone config create r sftp pass {S}
rclone config create r sftp host h user u pass={S}
rclone config password r pass {S}
rclone obscure {S}
rclone config update r token '{{"access_token":"{S}"}}'
rsync -a -e "sshpass -p {S} ssh" a h:b
rsync -a --rsh="sshpass -p {S} ssh -p 22" a h:b
rsync -a -e 'sshpass -p{S} ssh' a h:b
rsync -a --rsync-path="echo {S} | sudo -S rsync" a h:b
rsync -a rsync://me:{S}@h/mod b
rsync -a me:{S}@h::mod b
rsync -M--password={S} -a a h:b
rsync --dparam=secret={S} -a a b
env RSYNC_PASSWORD={S} rsync -a a h::b
sshpass -p {S} rsync a b
sshpass -p{S} rsync a b
sshpass -v -p {S} rsync -a a b
tar -cf - -I "openssl enc -k {S}" /x
tar --use-compress-program="gpg --batch --passphrase {S} -c" -cf x /x
tar cIf "gpg --passphrase {S}" x /x
tar -cf x --to-command="curl -u me:{S} ftp://h" /x
tar --checkpoint-action=exec="notify --token {S}" -cf x /x
duplicity /x scp://me:{S}@h/dir
duplicity /x b2://id:{S}@bucket/dir
duplicity --gpg-options "--passphrase {S}" /x file:///y
duplicity --ssh-options "-oProxyCommand='sshpass -p {S} ssh j'" /x file:///y
duplicity --webdav-headers "X-Token={S}" /x webdav://h/
duplicity --new-thing {S} /x file:///y
env PASSPHRASE={S} SIGN_PASSPHRASE={S} FTP_PASSWORD={S} duplicity /x file:///y
rdiff-backup --remote-schema "sshpass -p {S} ssh %s rdiff-backup --server" /x h::/y
rdiff-backup --strange {S} /x /y
dar -c /b/x -R /x -K {S}
dar -c /b/x -R /x -Kaes:{S}
dar -Q -c /b/x --key=aes:{S} -R /x
dar -Q -c /b/x --key aes:{S} -R /x
dar -c /b/x -z9 -K aes:{S} -R /x
dar -c /b/x -A /b/full -J {S} -R /x
dar -c /b/x -E "curl -u me:{S} ftp://h"
kopia --password {S} snapshot create /x
kopia --password={S} snapshot create /x
kopia -p {S} snapshot create /x
kopia -p{S} snapshot create /x
kopia repository connect s3 --bucket b --access-key AK --secret-access-key={S}
kopia repository connect s3 --bucket b --session-token {S}
kopia repository connect webdav --url https://h --webdav-password {S}
kopia repository create b2 --key-id x --key={S}
kopia snapshot create --description {S} /x
kopia server start --server-password {S}
"""

OTHERS = r"""
ssh -p 22 h sshpass -p {S} ssh -p 23 i
sshpass -p {S} ssh -p 22 h sshpass -p{S} ssh i
restic backup --stdin-from-command -- mysqldump -p{S} db
restic backup --stdin-from-command -- sh -c "mysqldump -p{S} db"
borg create --content-from-command r::a -- mysqldump -p{S} db
borg create r::a --paths-from-command -- sh -c "find /x; echo {S}"
borg with-lock /r mysqldump -p{S} db
borgmatic --override encryption_passphrase={S}
borgmatic create --extra-borg-options "--rsh 'sshpass -p {S} ssh'"
rclone copy a b --http-headers "Authorization,Basic {S}"
lxc-attach -n x -- mysqldump -p{S} db
kubectl exec pod -- sh -c "pg_dump postgresql://u:{S}@h/x"
mongodump /u:admin /p:{S}
sqlplus u/{S}@db
expdp system/{S} full=y
etcdctl --user root:{S} snapshot save x
curl -F "token={S}" h
curl https://api.telegram.org/bot123456:{S}/sendMessage
azcopy sync a "https://x.blob.core.windows.net/c?sv=1&sig={S}"
lftp -e "open -u u,{S} h; mirror"
scp -o ProxyCommand="sshpass -p {S} ssh" a b
veracrypt -t -p {S} --pin=0 /x /y
gocryptfs -extpass "echo {S}" a b
kubectl --token={S} get x
ansible-playbook -e "ansible_become_pass={S}" x.yml
podman exec db sh -c 'MYSQL_PWD={S} mysqldump x'
ssh -t u@h -- "bash -c 'mysqldump -p{S} x'"
java -Dfoo.bar={S} -jar x.jar
tool /password:{S}
tool -Dx={S}
tool -password {S}
tool passphrase: {S}
tool "my password is {S}"
tool "pw: {S}"
tool //u:{S}@host/s
tool '["{S}"]'
tool --{S}={S}
mysqldump -u root -p{S} db
mysqldump --password={S} db
mysqldump --password {S} db
nice mariadb-dump -p{S} db
mariabackup --backup -p{S}
mytool -u{S}
mytool -p {S}
mytool -p{S}
mytool -p={S}
mytool -P{S} -x
mytool {S}
mytool run {S} now
mytool --name {S}
mytool --name={S}
mytool --x-y.z={S}
mytool --job {S}
mytool --job={S}
mytool key={S}
mytool foo.bar={S}
mytool user:{S}
mytool me/{S}
mytool --password -{S}
mytool --password=-{S}
mytool --token --{S}
mytool -{S}
mytool --{S}
mytool -- {S}
mytool password {S}
mytool set token {S}
mytool https://host/path/{S}/x
mytool https://host/path?key={S}
mytool https://host/path?x={S}
mytool https://host/#{S}
mytool @{S}
mytool '{{"password": "{S}"}}'
mytool '{{"a": {{"secretKey":"{S}"}}}}'
mytool '<password>{S}</password>'
mytool "password: {S}"
mytool "token={S};x=1"
curl -u me:{S} https://host/
curl --user me:{S} https://host/
curl -U me:{S} -x proxy https://host/
curl -ume:{S} https://host/
curl -H "Authorization: Basic {S}" https://h/
curl -H "Authorization: token {S}" https://h/
curl -H "Authorization: {S}" https://h/
curl -H "authorization:{S}" https://h/
curl -H "PRIVATE-TOKEN: {S}" https://h/
curl -H "X-Vault-Token: {S}" https://h/
curl -H "Api: {S}" https://h/
curl -b "session={S}" https://h/
curl --cookie sid={S} https://h/
curl -d "user=me&pass={S}" https://h/
curl -d "user=me&q={S}" https://h/
curl --data '{{"key":"{S}"}}' https://h/
curl https://host/?token={S}&x=1
curl https://host/x?X-Amz-Signature={S}
curl --oauth2-bearer {S} https://h/
curl --proxy http://me:{S}@proxy:3128 https://h/
wget --password={S} ftp://h/
wget --http-password {S} http://h/
wget --header="X-Auth: {S}" http://h/
wget ftp://me:{S}@h/x
lftp -u me,{S} h
pg_dump postgresql://me:{S}@host/db
pg_dump "host=h user=me password={S} dbname=x"
env PGPASSWORD={S} pg_dump x
env FOO={S} tool
mongodump --uri mongodb://me:{S}@a,b/db
mongodump -u me -p {S}
mongodump -u me -p{S}
7z a -p{S} x.7z /home
7z a -p{S} -mhe=on x.7z /home
rar a -hp{S} x.rar /home
zip -r -P {S} x.zip /home
zip -P{S} x.zip /home
gpg --passphrase {S} -c x
gpg --batch --passphrase={S} -c x
openssl enc -pass pass:{S} -in x
openssl enc -aes-256-cbc -k {S} -in x
openssl enc -K {S} -in x
smbclient //h/s -U me%{S}
smbclient //h/s {S} -U me
mount -t cifs //h/s /mnt -o username=me,password={S}
redis-cli -a {S} save
ldapsearch -w {S} -D cn=x
influx backup -t {S} /x
sqlcmd -S h -U sa -P {S} -Q "backup database x"
psql -c "ALTER USER x PASSWORD '{S}'"
mysql -e "CREATE USER x IDENTIFIED BY '{S}'"
git clone https://{S}@github.com/x/y
git clone https://oauth2:{S}@gitlab.com/x/y
docker run -e MYSQL_PWD={S} mysql mysqldump x
docker run --env FOO={S} image backup
docker exec -e PASS={S} db pg_dump x
docker login -u me -p {S}
kubectl create secret generic x --from-literal=password={S}
ssh h mysqldump -p{S} x
ssh h "mysqldump -p{S} x"
ssh h 'RESTIC_PASSWORD={S} restic backup /x'
az storage blob upload --account-key {S} --sas-token {S}
aws configure set aws_secret_access_key {S}
vault login {S}
pass insert x {S}
secret-tool store --label {S} a b
at now {S}
"""

SHELL = r"""
sh -c RESTIC_PASSWORD={S}
sh -c 'RESTIC_PASSWORD={S} restic backup /x'
sh -c 'export RESTIC_PASSWORD={S}; restic backup /x'
sh -c 'export RESTIC_PASSWORD="{S}" && restic backup /x'
bash -c "export FOO='{S}'; restic backup /x"
sh -c 'mysqldump -u root -p{S} shop | gzip >x.gz; true'
sh -c 'mysqldump -u root --password={S} shop | gzip >x.gz'
bash -c 'zip -q -P {S} x.zip src; true'
sh -c 'curl -s -u me:{S} ftp://127.0.0.1:1/x; true'
sh -c 'curl -s -ume:{S} ftp://127.0.0.1:1/x; true'
sh -c 'openssl enc -aes-256-cbc -pass pass:{S} -in /dev/null'
sh -c 'echo {S} | restic backup /x'
sh -c 'echo "{S}" | sudo -S restic backup /x'
sh -c 'printf %s {S} | borg init /r'
sh -c 'cryptsetup open /dev/sdb1 x <<< {S}'
sh -c 'cat <<EOF | restic backup /x
{S}
EOF'
sh -c 'X={S}; tool'
sh -c 'restic --password-command "echo {S}" backup /x'
sh -c '(sleep 1; restic -r rest:https://u:{S}@h/ backup /x) & wait'
sh -c 'A=$(printf {S}); restic backup /x'
sh -c 'A=`printf {S}`; restic backup /x'
sh -c "sh -c 'sshpass -p {S} rsync -a a h:b'"
su - me -c 'mysqldump -p{S} x >y'
su me -c "sh -c 'mysqldump -p{S} x'"
runuser -u me -- sh -c 'mysqldump -p{S} x'
docker exec db sh -c 'exec mysqldump -uroot -p{S} x'
docker exec db sh -c 'exec mysqldump -uroot -p"{S}" x'
docker exec db bash -lc "pg_dump postgresql://u:{S}@h/x"
ssh root@h 'sh -c "mysqldump -p{S} x" | gzip'
nice sh -c 'tool -p{S}'
flock -n /tmp/l -c 'tool --token {S}'
timeout 5 bash -euo pipefail -c 'tool --header "X-Key: {S}"'
sh -c 'tool --password -{S}'
sh -c 'tool # {S}'
sh -c 'tool "a b {S}"'
sh -c 'tool a\ {S}'
sh -c 'tool -p"{S}"'
sh -c "tool -p'{S}'"
sh -c 'tool --password="{S}"'
sh -c 'if true; then tool {S}; fi'
sh -c 'for p in {S} x; do tool $p; done'
sh -c 'tool 2>&1 >/dev/null {S}'
sh -c 'tool && {S}'
sh -c 'f() {{ tool {S}; }}; f'
env -S 'FOO={S} restic backup /x'
perl -e 'print "{S}"'
python3 -c 'import x; x.login("me", "{S}")'
python3 -c "password = '{S}'"
busybox sh -c 'tool {S}'
xargs -I X sh -c 'tool {S}'
find / -exec tool --key {S} ;
"""

ENVIRONMENTS = """
RESTIC_PASSWORD={S} RESTIC_PASSWORD2={S} RESTIC_PASSWORD_COMMAND={S} AWS_SECRET_ACCESS_KEY={S} AWS_SESSION_TOKEN={S}
B2_ACCOUNT_KEY={S} AZURE_ACCOUNT_KEY={S} AZURE_ACCOUNT_SAS={S} OS_PASSWORD={S} ST_KEY_SECRET={S} BORG_PASSPHRASE={S}
BORG_PASSCOMMAND={S} PGPASSWORD={S} MYSQL_PWD={S} RCLONE_CONFIG_PASS={S} RCLONE_CONFIG_NAS_PASS={S} RCLONE_SFTP_PASS={S}
GITHUB_TOKEN={S} X_API_KEY={S} SMTP_PASS={S} HC_SECRET={S} password={S} db.password={S} RESTIC_REST_PASSWORD={S}
KOPIA_PASSWORD={S} PASSPHRASE={S} FTP_PASSWORD={S} SSHPASS={S} MY_APP_PASSWD={S} DB_PW={S} KENNWORT={S} FOO={S}
MYVAR={S} NAS={S} A={S} RESTIC_REPOSITORY=rest:https://u:{S}@h/ BORG_REPO=ssh://u:{S}@h/./r
DATABASE_URL=postgres://u:{S}@h/x HTTPS_PROXY=http://u:{S}@p:3128 BACKUP={S}
RCLONE_CONFIG_X_TOKEN={{"access_token":"{S}"}}
"""

OUTPUTS = """
token: {S}
Token: {S}
password: {S}
password:{S}
password = {S}
password={S}
PASSWORD="{S}"
"password": "{S}"
'secret': '{S}'
\\"token\\": \\"{S}\\"
api_key={S}; x=1
api-key: {S}
pass: {S}
Passwort: {S}
- secret: {S}
[client] password={S}
GET /x?token={S}&y=1
GET /x?access_token={S}
Authorization: Basic {S}
Authorization: Bearer {S}
Authorization: token {S}
Authorization: {S}
authorization: Digest username="x", response="{S}"
Proxy-Authorization: Basic {S}
"Authorization": ["Bearer {S}"]
Cookie: sid={S}; b=c
X-Api-Key: {S}
X-Auth-Token:{S}
parse rest:https://u:{S}@h/: bad
cannot open sftp:u:{S}@h:/x
dial http://u:{S}@proxy:3128: refused
error: login u:{S}@host failed
fatal: https://{S}@github.com/x
--password {S} -r y
--password-command 'echo {S}' -r y
--token={S}
IDENTIFIED BY '{S}'
RESTIC_PASSWORD={S}
+ export BORG_PASSPHRASE={S}
bearer {S}
"""
"""Lines with a secret that the wrapper was not told."""

HARMLESS = r"""
restic -r sftp:user@host:/srv/repo backup /home --exclude *.tmp
restic -r s3:https://s3.amazonaws.com/bucket backup --password-file /etc/restic/password /home
restic -p /etc/pw --key-hint abc --tag nightly backup /home/me@work
restic --insecure-no-password -r rest:http://host:8000/x@y backup a=b
restic -r /mnt/backup backup --tag 2026-11-29 --tag täglich --host nas01 /home /etc
restic -r b2:my-bucket:restic -o b2.connections=10 backup --exclude-caches /srv
restic -r s3:s3.eu-central-1.wasabisys.com/bucket -o s3.region=eu-central-1 -o s3.storage-class=STANDARD_IA backup /srv
restic -r /mnt/b --limit-upload 2000 --pack-size 64 backup --exclude-file=/etc/restic/excludes.txt --iexclude '*.ISO' /srv
restic -r /mnt/b forget --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --keep-within 1y5m7d2h --prune
restic -r /mnt/b backup --parent 5fa8c1b2 --compression max --read-concurrency 4 '/srv/Meine Bilder'
restic -r /mnt/b restore 5fa8c1b29d --target /tmp/restore --include /home/me
restic -r /mnt/b check --read-data-subset=5%
restic -r rclone:gdrive:backup backup --files-from /etc/restic/list --one-file-system /home/IMG_2034xY7
borg create ssh://borg@host:22/./repo::name /home
borg create --stats --compression zstd,3 --exclude '*.cache' --exclude-from /etc/borg/excl /b::{hostname}-{now:%Y-%m-%d} /home
borg create -C lz4 --patterns-from patterns.lst --filter AME --list /r::nas-2026-11-29T02:00:00 ~/Dokumente
borg prune --keep-daily 7 --keep-weekly=4 -a 'nas-*' /mnt/borg
borg compact --threshold 10 /mnt/borg
borg -r ssh://u@h/./repo create --remote-path borg1 --chunker-params buzhash,10,23,16,4095 archive /x
rclone sync /home gdrive:backup --bwlimit 5M --transfers 8 --exclude *.tmp
rclone copy /srv nas:share/dir --max-age 24h --log-file /var/log/rclone.log -v --fast-list
rclone sync a b --bwlimit 08:00,512k --filter '- *.bak' --backup-dir b:old/2026-11-29 --suffix .2026-11-29
rclone sync /a :sftp,host=h,user=me,port=22:/b --stats 10s --config /root/.config/rclone/rclone.conf
rsync -a /home backup@host:/srv
rsync -avzHAX --delete --exclude='*.tmp' --exclude=.cache --link-dest=../2026-11-28 /home/ /mnt/backup/2026-11-29/
rsync -aP -e 'ssh -p 2222 -i /root/.ssh/id_ed25519' /srv/ root@nas.example.org:/volume1/backup
rsync -rltD --bwlimit=5000 --files-from=/etc/list --log-file=/var/log/rsync.log "/home/me/Eigene Dateien/" /mnt/b/
rsync -a --chown=root:backup --chmod=D750,F640 --partial-dir=.part /a /b
tar --exclude=token.txt -czf /mnt/keys/secret-santa.tar.gz /home/passwords
tar czf /mnt/b/home-2026-11-29.tar.gz -C / home etc
tar -I zstd -cf x.tar.zst --listed-incremental=/var/lib/tar/home.snar /home
tar -cJf x.tar.xz --exclude='*.o' --one-file-system --xattrs /srv
duplicity full --full-if-older-than 1M --encrypt-key 1A2B3C4D --exclude '**/cache' /home sftp://me@host//srv/dup
duplicity --volsize 250 --archive-dir /var/cache/dup /home file:///mnt/b
rdiff-backup backup --exclude '**/.cache' /home /mnt/rdiff
dar -Q -c /mnt/b/home-full -R /home -g docs -X '*.o' -zxz:5 -s 1G -wa
dar --create /mnt/b/home-diff --ref /mnt/b/home-full --fs-root=/home --compression=xz:5 --verbose
rdiff-backup --remove-older-than 4W --force /mnt/rdiff
kopia snapshot create /home --parallel=4 --tags kind:nightly
kopia maintenance run --full --config-file /root/.config/kopia/repository.config
borgmatic --verbosity 1 create --list --stats
borgmatic -c /etc/borgmatic/config.yaml --repository nas create
systemd-run --no-ask-password --scope -p MemoryMax=1G restic backup
nice -n 19 ionice -c 3 restic backup /home
sudo -u backup -- borg create /mnt/borg::home /home
flock -n /run/backup.lock timeout 4h /usr/local/bin/nightly.sh
/usr/local/sbin/backup.sh --full --dest /mnt/backup --keep 14
./sichern.sh Dokumente Bilder Übersicht täglich
/home/me/bin/sicherung nach /media/me/Platte --ohne Musik
bash /root/scripts/backup_daily.sh home
bash -c 'set -e; cd /srv && tar czf /mnt/b/srv.tgz . && rsync -a /mnt/b/ nas:/b/'
sh -c 'restic -r /mnt/b backup /home --tag nightly && restic -r /mnt/b forget --keep-daily 7'
sh -c 'pg_dump -Fc shop >/var/backups/shop.dump; test -s /var/backups/shop.dump'
sh -c 'mysqldump --single-transaction --all-databases | gzip >/mnt/b/all.sql.gz'
sh -c 'for d in home etc srv; do borg create /mnt/b::$d-{now} /$d; done'
bash -c 'find /var/backups -name "*.gz" -mtime +30 -delete'
sh -c 'mount /mnt/usb && rsync -a --delete /home/ /mnt/usb/home/ ; umount /mnt/usb'
pg_dump -h db.example.org -p 5432 -U backup -Fd -j 4 -f /var/backups/shop shop
pg_basebackup -D /var/backups/base -Ft -z -P -X stream
mysqldump -u root -h localhost --single-transaction shop
mongodump --host localhost --port 27017 --out /var/backups/mongo
sqlite3 /var/lib/app/app.db ".backup /mnt/b/app.db"
zfs send -R tank/data@auto-2026-11-29
btrfs send -p /snap/2026-11-28 /snap/2026-11-29
btrbk -c /etc/btrbk/btrbk.conf run
rsnapshot -c /etc/rsnapshot.conf daily
duply home backup
autorestic -c /etc/autorestic.yml backup -a
resticprofile --name home backup
python3 /opt/backup/run.py --profile home --dry-run
docker exec db pg_dump -U postgres -d shop
docker run --rm -v /srv:/data:ro restic/restic:0.18.0 backup /data
ssh root@nas.local tar czf - /etc
dd if=/dev/sda of=/mnt/b/sda.img bs=4M status=progress
cp -a /home/me/Steuer2025.pdf /mnt/b/
wbadmin start backup -quiet
sh -c 'cd / && tar --one-file-system -cpf - . | zstd -T0 -3 > /mnt/backup/root-$(date +%F).tar.zst'
bash -c 'set -euo pipefail; export BORG_REPO=/mnt/borg; borg create --stats ::{hostname}-{now} /etc /home'
/opt/scripts/db_backup.sh --databases "shop crm" --retention 30
timeshift --create --comments "wöchentlich" --tags W
snapper -c root create -d "before upgrade"
syncoid -r tank/data root@backup.lan:tank/data
btrfs subvolume snapshot -r /home /snapshots/home.20261129T0200
dump -0uf /mnt/b/root.dump /dev/sda1
partclone.ext4 -c -s /dev/sda1 -o /mnt/b/sda1.img
unison home -batch -auto
BackupPC_dump -f web01
mariabackup --backup --target-dir=/var/backups/full --user=root
gitlab-backup create STRATEGY=copy SKIP=artifacts,registry
docker compose -f /srv/app/docker-compose.yml exec -T db pg_dumpall -U postgres
kubectl exec -n prod deploy/db -- pg_dump -U app app
aws s3 sync /srv s3://my-bucket/srv --storage-class STANDARD_IA --delete --exclude "*.tmp"
b2 sync --keepDays 30 --replaceNewer /srv b2://bucket/srv
s3cmd sync --delete-removed /srv/ s3://bucket/srv/
tar -cvpzf /backup/Müllers_Fotos_2024.tar.gz "/home/anna/Bilder/Urlaub 2024 – Ostsee"
dd if=/dev/nvme0n1p2 of=/mnt/b/root.img bs=1M conv=sparse
ssh -i /root/.ssh/backup_ed25519 -p 2222 backup@nas.example.com "tar -C /srv -cf - ."
flock -w 30 /var/lock/b.lock -c "rsync -a /srv/ /mnt/b/"
java -Xmx512m -jar /opt/backup.jar --source /srv
robocopy C:\Users\me D:\Backup /MIR /R:2
vzdump 101 --mode snapshot --compress zstd --storage nas
proxmox-backup-client backup root.pxar:/ --repository backup@pbs@nas:store
vzdump --all 1 --exclude 105,107 --mailto admin@example.org
"""


def lines(text: str) -> list[str]:
    """Return the commands of a table; a line break within quotes belongs to its command."""
    found: list[str] = []
    for line in text.strip("\n").split("\n"):
        if found and found[-1].count("'") % 2 and found[-1].count('"') % 2 == 0:
            found[-1] += "\n" + line
        elif line.strip():
            found.append(line.rstrip())
    return found


WHERE_PASSWORDS_STAND = r"""
restic -o "sftp.command=sshpass -p {S} ssh u@h -s sftp" backup /x
restic --password-command "echo {S}" backup /x
restic "--password-command=printf %s '{S}'" backup /x
sh -c "printf '{S}\\n' | gpg --batch --passphrase-fd 0 -c f"
bash -c "restic -r /r --password-file <(echo {S}) backup /x"
bash -c "mysqldump -p$(echo {S}) shop"
curl -ubob:{S} https://h/x
curl -sSfuadmin:{S} https://h/x
curl -E client.pem:{S} https://h/x
zip -rP{S} a.zip /x
docker login -u me -p {S} registry
podman login -u me -p {S} registry
swift -K {S} upload c /x
cqlsh -u me -p {S} -e BACKUP
rclone obscure {S}
rclone config create away sftp host h pass {S}
aws configure set aws_secret_access_key {S}
my-backup --mot-de-passe={S}
my-backup --credentials bob:{S}
duplicity --ssh-options -oPassword={S} /x scp://h/d
"""
"""Where a word is a password whatever it looks like, an ordinary one also."""

WORDS = """
hunter22 hunter2 Sommer2024! Sommer2024 sommer2024 Passw0rd passw0rd1 pa55word p4ssw0rd letmein99 qwertz123 qwerty1 abc12345
12345abc 1q2w3e4r trustno1 Dragon7 monkey-22 monkey_22 Sommer-2024 winter.23 Tr0ub4dor&3 correct1horse hase2024x Geheim1
S3cret s3cr3t iloveyou2 Football99 2024Sommer 99luftballons x7k9q2 Bunny!! r2d2c3po blink182 hello-World9 Montag-Regen7
12xyzzy Fussball08 maus!1
"""
"""Passwords of the kind that people make: a word and a number, with or without a sign."""

PLACES = r"""
mytool upload {S} file
mytool upload file {S}
mytool -x {S}
mytool --foo={S}
mytool --foo {S}
mytool key:{S}
mytool a,{S},b
mytool user@{S}
mytool me/{S}
sh -c "mytool upload {S} x"
bash -c "cd /x && mytool {S} | gzip"
nice -n 5 mytool {S}
backup.pl {S} /home
"""
"""Places in the command lines of unknown programs, none of which says that a password stands there."""

NUMBERED = """
web01 db2 nas01 eu-central-1 us-east-1 photos-2024 photos2024 backup2 mysql8 python3 sha256 aes-256-gcm ed25519 x86_64 amd64
2026-11-29 10GB 5m 1h30m v1.2.3 node3.example.org disk1 sda1 nvme0n1 vm101 level9 zstd-19 week48 192.168.0.1:8080 host-7
ct101 eth0 ipv6 utf8 rc1 2nd 1080p daily-2026-11-29 mail2.example.com port8080 upload hunter nightly Documents
"""
"""Words with numbers that are names of machines, parts, versions and times, and words without: they stay readable."""
