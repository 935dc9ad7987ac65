"""Commands that only start something are unknown, whatever their exit code."""

import shlex

import pytest

from tray import engines
from tray.core.model import Outcome
from tray.engines.base import Exit

LEAVE = """docker run -d img restic backup /
docker run --detach=true img
docker run --name d -e A=b -dit img
docker --context far run -d img
docker exec -d c restic backup /
docker exec c sh -c 'restic backup / &'
docker compose up -d
docker compose -f x.yml run -d backup
docker-compose -f x.yml up -d backup
docker start backup
podman run --detach img
podman --remote exec -d c x
nerdctl run -d img
sudo docker run -d img
systemctl start --no-block backup.service
systemctl --no-block restart backup.service
systemd-run restic backup /
systemd-run --wait restic backup /
systemd-run --user --on-calendar=daily restic backup /
kubectl create job j --from=cronjob/backup
kubectl -n x create job j --image=i
kubectl apply -f job.yml
kubectl run b --image=i
oc create -f job.yml
helm upgrade b ./chart
nomad job run -detach b.nomad
gcloud sql backups create --async --instance=x
az vm create --no-wait
gcloud run jobs execute backup
aws batch submit-job --job-name x
pueue add restic backup /
task-spooler restic backup /
virsh backup-begin vm
launchctl kickstart -k system/backup
initctl start --no-wait backup
aws ec2 create-snapshot --volume-id v
aws backup start-backup-job --x
at now
at -f backup.sh 03:00
batch
tsp restic backup /
sbatch backup.sh
screen -dmS b restic backup /
tmux new-session -d restic backup /
daemonize /usr/bin/restic backup /
start-stop-daemon --start --background --exec /usr/bin/restic
setsid restic backup /
setsid -f restic backup /
sudo -b restic backup /
ssh -f host restic backup /
ssh -fN -L 1:h:1 host
ssh -p 22 -fn host restic
ssh host 'nohup restic backup / > log 2>&1 &'
ssh -i key -o A=b host docker run -d img
cpulimit -b -l 5 restic
sh -c 'restic backup / &'
sh -c 'restic backup / & exit 0'
sh -c 'restic backup / & disown; echo started'
sh -c 'nohup restic backup / >/dev/null 2>&1&'
sh -c '(restic backup / &)'
sh -c '{ restic backup /; restic check; } &'
sh -c '(restic backup /)& true'
bash -lc 'docker run -d img && echo started'
bash -ec 'docker run -d img | tee id'
bash -o pipefail -c 'systemctl start --no-block b'
sh -c 'setsid -f restic backup /'
sh -c 'echo restic backup / | at now'
sh -c 'if true; then restic backup / & fi'
bash -c 'for x in a b; do restic backup $x & done'
sh -c 'A=1 exec docker run -d img'
su -c 'restic backup / &' user
su - user -c 'nohup restic backup / &'
runuser -u user -- sh -c 'restic backup / &'
flock lk -c 'restic backup / &'
nice sh -c 'restic backup / &'
chroot /x sh -c 'restic backup / &'""".splitlines()
STAY = """docker run --rm img restic backup /
docker run -it img
docker run --detach=false img
docker run -v /d:/d img tar -d
docker run --rm -e d=-d img
docker exec -it c pg_dump -d db
docker start -a backup
docker build -t d .
docker compose run --rm backup
docker compose up --abort-on-container-exit
systemctl start backup.service
systemd-run --scope pg_dump db
systemd-run --wait --pipe pg_dump db
kubectl exec pod -- pg_dump -d db
kubectl run b -i --rm --image=i
helm upgrade --wait b ./chart
aws s3 sync / s3://b
sbatch --wait backup.sh
ssh host restic backup /
ssh -i f -o ForwardAgent=no host pg_dump
ssh host 'pg_dump 2>&1'
nohup pg_dump db
setsid -w pg_dump db
sh -c 'pg_dump db > x 2>&1'
sh -c 'pg_dump db &> x'
sh -c 'pg_dump db && restic backup x || exit 1'
sh -c 'ssh -N tunnel & p=$!; restic backup /; kill $p'
sh -c 'restic backup / & wait'
bash -c 'for x in a b; do restic backup $x & done; wait'
bash -c 'docker run -d db; restic backup /; docker stop db'
bash -c 'docker run -d --name b img; docker wait b'
sh -c "pg_dump -f 'a&b'"
sh -c 'pg_dump | ts'
bash nightly.sh -c 'x &'
sh nightly.sh -d
pg_dump -d db""".splitlines()


@pytest.mark.parametrize("command", LEAVE)
def test_a_command_that_only_starts_something_is_unknown(command: str) -> None:
    """A run whose end the wrapper did not see is not green, and says why; a command that could not be started failed."""
    argv = shlex.split(command)
    engine, at = engines.recognise(argv, {})
    assert engine is engines.COMMAND
    plan = engine.plan(argv, at, {})
    result = engine.session(plan).conclude(Exit(0))
    assert result.outcome is Outcome.UNKNOWN
    assert result.reason.startswith("It was started, but ")
    assert result.reason.endswith(".")
    assert engine.session(plan).conclude(Exit(1)).outcome is Outcome.FAILED


@pytest.mark.parametrize("command", STAY)
def test_a_command_that_waits_for_its_work_is_not_unknown(command: str) -> None:
    """No false alarm: options of the work itself, helpers in the background and quoted signs mean nothing."""
    argv = shlex.split(command)
    engine, at = engines.recognise(argv, {})
    assert engine.session(engine.plan(argv, at, {})).conclude(Exit(0)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("text", ["'", "a 'b", '"', "a\\", "&", "&&", ";;;", "", "\n", "& & &", "((", "<", ">", "2>"])
def test_odd_text_is_read_as_far_as_it_goes(text: str) -> None:
    """The shell will complain about it; we do not."""
    engines.unwrap(["sh", "-c", text], {})
