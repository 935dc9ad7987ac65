"""A pytest plugin (`-p tests.no_skips`): a test that was skipped, or is expected to fail, fails the whole run.

A test that does not run promises nothing, and a skip is easily forgotten.
"""

import pytest

_NOT_RUN = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with an empty list."""
    config.stash[_NOT_RUN] = []
    config.pluginmanager.register(_Watch(config.stash[_NOT_RUN]), "no-skips-watch")


class _Watch:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note tests that were skipped or expected to fail."""
        if report.skipped or hasattr(report, "wasxfail"):
            self._lines.append(f"{report.nodeid}: {getattr(report, 'wasxfail', report.longrepr)}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note whole modules that were skipped."""
        if report.skipped:
            self._lines.append(f"{report.nodeid}: {report.longrepr}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a run with skips into a failed one."""
    if session.config.stash[_NOT_RUN] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the tests that did not run."""
    for line in config.stash[_NOT_RUN]:
        terminalreporter.write_line(f"NOT RUN, which fails this run: {line}", red=True)
