"""The figures of a status in a real Prometheus with node-exporter and Alertmanager: rules, dashboard, one job."""

import json
import re
import socket
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import tray
from tests.waiting import wait_for
from tray.core.paths import Places, private

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "monitoring"
RULES = ASSETS / "backup-tray.rules.yml"


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Alerts:
    """A receiver of Alertmanager's webhooks."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in body["alerts"]:
                    labels = alert["labels"]
                    seen.append((labels["alertname"], labels.get("backup_job", ""), alert["status"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Monitoring:
    """Prometheus, node-exporter and Alertmanager on the loopback, with our rules."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.alerts = folder, Alerts()
        self.textfiles = folder / "textfiles"
        self.textfiles.mkdir()
        self._url = f"http://127.0.0.1:{free_port()}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the three programs and wait until Prometheus has asked node-exporter once."""
        exporter, manager = free_port(), free_port()
        (self.folder / "manager.yml").write_text(
            "route: {receiver: us, group_wait: 0s, group_interval: 1s, repeat_interval: 1h, group_by: ['...']}\n"
            f"receivers: [{{name: us, webhook_configs: [{{url: 'http://127.0.0.1:{self.alerts.server.server_port}/'}}]}}]\n"
        )
        (self.folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: ['{RULES}']\n"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{manager}']}}]}}]}}\n"
            f"scrape_configs: [{{job_name: node, static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]}}]\n"
        )
        at = "--web.listen-address=127.0.0.1:"
        self._start(
            "prometheus-node-exporter",
            f"{at}{exporter}",
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={self.textfiles}",
        )
        self._start(
            "prometheus-alertmanager",
            f"{at}{manager}",
            "--cluster.listen-address=",
            f"--config.file={self.folder}/manager.yml",
            f"--storage.path={self.folder}/manager",
        )
        self._start(
            "prometheus",
            f"{at}{self._url.rpartition(':')[2]}",
            f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/data",
        )
        wait_for(lambda: self.ask("up == 1"), what="the first scrape")

    def _start(self, *argv: str) -> None:
        with open(self.folder / f"{argv[0]}.log", "wb") as log:
            self._processes.append(subprocess.Popen(argv, stdout=log, stderr=log))

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The result of a query; none while Prometheus does not answer yet."""
        query = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"{self._url}/api/v1/query?{query}", timeout=60) as answer:  # noqa: S310 # our own server
                result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return result
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it is still starting
                return []
            pytest.fail(f"{expression}: {error.read().decode()}")
        except OSError:
            return []

    def close(self) -> None:
        """End the three programs."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(60)
        self.alerts.server.shutdown()
        self.alerts.server.server_close()


@pytest.fixture
def monitoring(tmp_path: Path) -> Iterator[Monitoring]:
    """A monitoring system that watches this machine."""
    made = Monitoring(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.close()


def test_a_job_that_breaks_and_heals_is_alarmed_once_and_cleared(monitoring: Monitoring, places: Places) -> None:
    """The file changes with each run; Prometheus reads it, Alertmanager tells of the failure and of its end."""
    private(places.config)
    places.config_file.write_text(f'[metrics]\ntextfile = "{monitoring.textfiles}/backup-tray.prom"\n')
    fine = 'backup_state{backup_job="home",state="ok"} == 1'
    assert tray("run", "--job", "home", "--", "true").returncode == 0
    wait_for(lambda: monitoring.ask(fine), what="the good run in Prometheus")
    assert tray("run", "--job", "home", "--", "false").returncode == 1
    wait_for(lambda: ("BackupFailed", "home", "firing") in monitoring.alerts.seen, what="the alarm")
    assert monitoring.ask('backup_last_run_status{backup_job="home",outcome="failed"} == 1')
    assert monitoring.ask("node_textfile_scrape_error == 0")
    _every_panel_is_answered(monitoring)
    assert tray("run", "--job", "home", "--", "true").returncode == 0
    wait_for(lambda: ("BackupFailed", "home", "resolved") in monitoring.alerts.seen, what="the end of the alarm")
    assert [alert for alert in monitoring.alerts.seen if alert[0] == "BackupFailed"] == [
        ("BackupFailed", "home", "firing"),
        ("BackupFailed", "home", "resolved"),
    ]


def _every_panel_is_answered(monitoring: Monitoring) -> None:
    """Each query of the Grafana dashboard is one that Prometheus understands, and names metrics that we write."""
    dashboard = json.loads((ASSETS / "grafana-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) >= len(dashboard["panels"]) >= 8
    for query in queries:
        monitoring.ask(query.replace("$machine", ".*"))
    written = (monitoring.textfiles / "backup-tray.prom").read_text()
    named = {name for query in queries for name in re.findall(r"\bbackup_[a-z_]+(?=\{)", query)}
    missing = {name for name in named if f"# TYPE {name} " not in written}
    assert missing <= {
        "backup_last_proven_timestamp_seconds",
        "backup_audit_log_valid",
        "backup_overdue",
        "backup_last_run_bytes",
    }


def test_the_metrics_and_rules_pass_the_checks_of_prometheus(places: Places, tmp_path: Path) -> None:
    """`promtool` finds nothing to complain about, and each rule fires when it should and only then."""
    assert tray("run", "--job", 'a"\\\n<b>', "--", "true").returncode == 0
    assert tray("metrics", "--textfile", tmp_path / "a.prom").returncode == 0
    with open(tmp_path / "a.prom", "rb") as file:
        checked = subprocess.run(
            ["promtool", "check", "metrics"], stdin=file, capture_output=True, text=True, timeout=60
        )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    (tmp_path / "tests.yml").write_text(_RULE_TESTS.replace("RULES", str(RULES)))
    done = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "tests.yml"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tested = set(re.findall(r"alertname: (\w+)", _RULE_TESTS))
    assert tested == set(re.findall(r"alert: (\w+)", RULES.read_text()))


def test_the_printed_metrics_are_openmetrics(places: Places) -> None:
    """They end with their mark, and the exit code is 0 whatever the state is."""
    assert tray("run", "--job", "home", "--", "false").returncode == 1
    done = tray("metrics")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n# EOF\n")
    assert (
        'backup_state{backup_job="home",scope="user",engine="command",repository="",state="failed"} 1\n' in done.stdout
    )
    assert tray("metrics", "--textfile", "/nowhere/a.prom").returncode == 2


_HOME = '{instance="nas",scope="user",backup_job="home",engine="restic",repository="/disk"'
_RULE_TESTS = rf"""
rule_files: [RULES]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: 'backup_state{_HOME},state="failed"}}', values: '0x10 1x20 0x400'}}
      - {{series: 'backup_state{_HOME},state="warning"}}', values: '0x40 1x400'}}
      - {{series: 'backup_overdue{_HOME}}}', values: '0x20 1x400'}}
      - {{series: 'backup_expected_by_timestamp_seconds{_HOME}}}', values: '-80000x400'}}
      - {{series: 'backup_tray_status_readable{{instance="nas"}}', values: '1x20 0x400'}}
      - {{series: 'backup_audit_log_valid{{instance="nas"}}', values: '1x20 0x400'}}
      - {{series: 'node_textfile_mtime_seconds{{instance="nas",file="/x/backup-tray.prom"}}', values: '-172000x400'}}
      - {{series: 'node_textfile_mtime_seconds{{instance="nas",file="/x/other.prom"}}', values: '-900000x400'}}
    alert_rule_test:
      - {{eval_time: 5m, alertname: BackupFailed}}
      - eval_time: 15m
        alertname: BackupFailed
        exp_alerts:
          - exp_labels: {{instance: nas, scope: user, backup_job: home, severity: critical}}
            exp_annotations:
              summary: The backup home on nas failed.
              description: 'Why: `backup-tray status --why home`. This ends with the next good backup.'
      - {{eval_time: 35m, alertname: BackupFailed}}
      - {{eval_time: 19m, alertname: BackupOverdue}}
      - eval_time: 25m
        alertname: BackupOverdue
        exp_alerts:
          - exp_labels: {{instance: nas, scope: user, backup_job: home, severity: critical}}
            exp_annotations:
              summary: The backup home on nas is overdue.
              description: 'The arithmetic: `backup-tray status --why home`.'
      - {{eval_time: 200m, alertname: BackupExpected}}
      - eval_time: 240m
        alertname: BackupExpected
        exp_alerts:
          - exp_labels: {{instance: nas, scope: user, backup_job: home, severity: warning}}
            exp_annotations:
              summary: The backup home on nas was expected more than a day ago.
              description: 'Look whether anything starts it: `backup-tray doctor`.'
      - {{eval_time: 90m, alertname: BackupWarning}}
      - eval_time: 110m
        alertname: BackupWarning
        exp_alerts:
          - exp_labels: {{instance: nas, scope: user, backup_job: home, severity: warning}}
            exp_annotations:
              summary: The backup home on nas needs a look.
              description: 'Why: `backup-tray status --why home`.'
      - {{eval_time: 30m, alertname: BackupStatusUnreadable}}
      - eval_time: 40m
        alertname: BackupStatusUnreadable
        exp_alerts:
          - exp_labels: {{instance: nas, severity: warning}}
            exp_annotations:
              summary: Nothing is known about the backups on nas.
              description: 'The cause, and the command that mends it: `backup-tray doctor`.'
      - {{eval_time: 15m, alertname: AuditLogBroken}}
      - eval_time: 25m
        alertname: AuditLogBroken
        exp_alerts:
          - exp_labels: {{instance: nas, severity: critical}}
            exp_annotations:
              summary: The audit log on nas was tampered with.
              description: 'The finding: `backup-tray audit verify`.'
      - {{eval_time: 10m, alertname: BackupMetricsOld}}
      - eval_time: 20m
        alertname: BackupMetricsOld
        exp_alerts:
          - exp_labels: {{instance: nas, file: /x/backup-tray.prom, severity: warning}}
            exp_annotations:
              summary: Nothing of Backup Tray has run on nas for two days.
              description: 'Neither a backup nor its housekeeping: `backup-tray doctor` there says what is missing.'
  - interval: 1m
    input_series:
      - {{series: 'backup_tray_build_info{{instance="nas",version="1"}}', values: '1x1800'}}
    alert_rule_test:
      - {{eval_time: 30h, alertname: BackupMetricsAbsent}}
      - eval_time: 40h
        alertname: BackupMetricsAbsent
        exp_alerts:
          - exp_labels: {{instance: nas, severity: warning}}
            exp_annotations:
              summary: nas reports no backups any more; a day ago it did.
              description: 'Look for the file of [metrics] in config.toml, and for node-exporter.'
"""
