"""Each field of a job with each wrong value, met by the commands: they say it with its place, and the other job goes on."""

import json

import pytest
import tomlkit
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.config.test_jobs import GOOD, WRONG
from tray.cli.main import main
from tray.config import jobs
from tray.config.jobs import KEYS
from tray.core.paths import Places, private

TEXTS = st.one_of(
    WRONG,
    st.sampled_from(
        ["", "0s", "off", "-1d", "1e9d", "@reboot", "*:*:0/3", "CRON_TZ=UTC 0 2 * * *", "Europe/Berln", "../..", "%"]
    ),
    st.text(max_size=20),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(KEYS), TEXTS)
@example("on", "*:*:0/3")
@example("every", "0s")
@example("command", [])
def test_a_wrong_field_is_said_by_each_command(
    places: Places, capsys: pytest.CaptureFixture[str], key: str, value: object
) -> None:
    """No command ends with a mistake of ours, changes the file, or calls the job fine; a job beside it is not touched."""
    base = {name: GOOD[name] for name in ("sources", "repository")} | {key: value}
    text = f"version = 1\n[jobs.other]\ncommand = ['true']\n[jobs.home]\n{tomlkit.dumps(base)}"
    private(places.config)
    places.config_file.write_text(text)
    broken = "home" in jobs.load(places).broken
    for command in (["jobs", "list"], ["jobs", "show", "home"], ["schedule", "home", "--show"], ["status", "--json"]):
        capsys.readouterr()
        code = main(command)
        said = capsys.readouterr()
        assert "mistake of ours" not in said.err
        assert code in (0, 1, 2, 3), command
        if command == ["jobs", "list"]:
            assert "other" in said.out
            assert ("nano +" in said.out + said.err or "line " in said.out + said.err) or not broken
        if command == ["status", "--json"]:
            status = json.loads(said.out)
            states = {job["job"]: job["state"] for job in status["jobs"]}
            assert states.get("other") != "warning"
            assert not broken or status["state"] == "warning"
    assert places.config_file.read_text() == text
