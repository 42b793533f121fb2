"""Continuous integration runs a test once more, by itself, if it failed only for want of time.

A slow machine must not keep good work from landing, nor may a second run hide a wrong value. So a test is run
again only if it starts processes or servers and all that went wrong was a time-out or a failure to start. What
passes then is named *unsteady* in the last lines, to be mended. Nothing is run twice unless ``CI`` is set, or
``ONCE_MORE``, which `.ci/run` sets wherever it runs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator

import httpx
import playwright.sync_api
import pytest

from tests.support.patience import NotStarted, OutOfTime

LATE = (
    OutOfTime,
    NotStarted,
    TimeoutError,
    subprocess.TimeoutExpired,
    httpx.TimeoutException,
    playwright.sync_api.TimeoutError,
)
WAITED = re.compile(r"^(Locator|Page) expected .*Call log:", re.DOTALL)
"""How the assertions of a browser begin that wait, and how they end."""
ASKED = ("CI", "ONCE_MORE")
MOST = 3
"""If more tests than this come late, the machine or the program is at fault, and a second run proves nothing."""


class Unsteady:
    """What failed in this run, and for what reason."""

    def __init__(self) -> None:
        self.failed: dict[str, bool] = {}
        self.passed_alone: list[str] = []

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure, and whether it was only late."""
        if report.failed:
            late = bool(getattr(report, "late", False))
            self.failed[report.nodeid] = self.failed.get(report.nodeid, True) and late

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Run late tests alone, now that nothing else runs; the session passes if all that failed do."""
        late = [name for name, only_late in self.failed.items() if only_late]
        if session.exitstatus != pytest.ExitCode.TESTS_FAILED or not 0 < len(late) <= MOST:
            return
        self.passed_alone = [name for name in late if _passes_alone(session.config, name)]
        if len(self.passed_alone) == len(self.failed):
            session.exitstatus = pytest.ExitCode.OK

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Name unsteady tests below everything else."""
        for name in self.passed_alone:
            print(f"unsteady: {name} (it came too late, and passed by itself)")


def configure(config: pytest.Config) -> None:
    """Watch over a whole run: where tests are handed out, not in the processes that they are handed to."""
    if any(map(os.environ.get, ASKED)) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Unsteady(), "unsteady")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell in the report of a failure whether it was only late, and how to have the same run again."""
    report = yield
    if call.excinfo is not None and report.failed:
        report.late = "unit" not in item.path.parts and is_late(call.excinfo.value)
        seed = getattr(item.config.option, "randomly_seed", None)
        report.sections.append(("seed", f"SEED={seed}, for `make test` and `make siege`"))
    return report


def is_late(error: BaseException) -> bool:
    """Tell whether an error says only that something took too long, or did not start."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_late(one) for one in error.exceptions)
    # What a page is expected to show is waited for; that it did not come in time is an assertion there.
    waited = isinstance(error, AssertionError) and WAITED.search(str(error)) is not None
    return waited or isinstance(error, LATE)


def _passes_alone(config: pytest.Config, name: str) -> bool:
    command = [sys.executable, "-m", "pytest", "--quiet", "--rootdir", str(config.rootpath), name]
    quiet = {key: value for key, value in os.environ.items() if key not in ASKED}
    print(f"\n{name} came too late; once more, by itself:", flush=True)
    return subprocess.run(command, cwd=config.rootpath, env=quiet, check=False).returncode == 0
