"""What all tests share: the same examples in every run, unless others are asked for, and long modules first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import unsteady
from tests.support.unsteady import pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("other", deadline=None)
settings.load_profile(os.environ.get("ARMILLARY_EXAMPLES", "same"))

LONG = (
    "e2e/cli/test_session.py",
    "e2e/cli/test_up.py",
    "e2e/cli/test_change_sets.py",
    "e2e/cli/test_fixhead.py",
    "e2e/test_export_two_servers.py",
    "crash/test_change_feed.py",
    "crash/test_kills.py",
    "crash/test_outages.py",
    "service/exports/test_commands.py",
    "e2e/cli/test_backup.py",
    "api/test_slow_readers.py",
    "crash/test_change_sets.py",
    "service/operations/test_backup.py",
    "service/operations/test_restore.py",
    "service/commands/test_demonstration.py",
    "e2e/cli/test_status.py",
    "crash/test_engine.py",
    "crash/test_lost_sessions.py",
    "e2e/cli/test_interrupted.py",
    "service/base/test_attendance.py",
    "service/commands/test_synthetic.py",
    "crash/test_lost_database.py",
    "e2e/cli/test_logs.py",
)
"""Modules of more than about ten seconds, the longest first."""
_PLACES = {str(Path(__file__).parent / name): place for place, name in enumerate(LONG)}


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist take modules in the order below, not those with the most tests first.

    In continuous integration, watch for tests that come too late.
    """
    config.option.loadscopereorder = False
    unsteady.configure(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take longest: one of them at the end would leave all cores but one idle.

    The others stay in the order into which pytest-randomly has brought them, as do the tests of each.
    """
    items.sort(key=lambda item: _PLACES.get(str(item.path), len(LONG)))
