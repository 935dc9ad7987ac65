from pathlib import Path

from tests.unit.takeover.machines import machine, put
from tray.core.dataclass import replace
from tray.takeover import timers


def test_the_next_start_is_systemds_own(tmp_path: Path) -> None:
    """It knows the random delay of that night; a timer that it calls inactive is off."""
    units = "/home/ann/.config/systemd/user"
    put(tmp_path, f"{units}/b.timer", "[Timer]\nOnCalendar=daily\n")
    put(tmp_path, f"{units}/b.service", "[Service]\nExecStart=restic -r /b backup /x\n")
    active = (
        "Id=b.timer\nNextElapseUSecRealtime=Tue 2026-12-01 01:18:25 UTC\nActiveState=active\nUnitFileState=disabled\n"
    )
    inactive = "Id=b.timer\nNextElapseUSecRealtime=n/a\nActiveState=inactive\nUnitFileState=disabled\n"

    def starts(output: str) -> list[tuple[int | None, bool]]:
        here = replace(machine(tmp_path), ask=lambda argv: output if "--user" in argv else None)
        return [(start.next_ms, bool(start.off)) for start in timers.starts(here)]

    assert starts(f"Id=other.timer\n\n{active}") == [(1_796_087_905_000, False)]
    assert starts(inactive) == [(None, True)]
    assert starts("nonsense\n=\nId=../../etc/passwd\n") == [(None, True)]
