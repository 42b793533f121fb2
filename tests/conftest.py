"""What all tests share: the same examples in every run, unless others are asked for, and long modules first."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from tests.support import programs, realdata, unsteady
from tests.support.unsteady import pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]

# More of the same examples would find no more from one run to the next; those who look for others take more.
settings.register_profile("same", derandomize=True, deadline=None, max_examples=20)
settings.register_profile("other", deadline=None)
settings.load_profile(os.environ.get("ARMILLARY_EXAMPLES", "same"))

TOGETHER = ("browser", "api/sst_archive")
"""Directories of which one process runs all modules: they share a server, or a browser, that starts slowly."""
LONG = (
    "browser",
    "api/test_embargo_matrix.py",
    "api/sst_archive",
    "service/archive/test_tiles.py",
    "api/test_fuzz.py",
    "service/base/test_filled_upgrades.py",
    "api/test_downloads.py",
    "service/base/test_identity.py",
    "service/archive/test_plans.py",
    "service/operations/test_backup.py",
    "api/test_embargo_edits.py",
    "service/edits/test_real_files.py",
    "service/exports/test_old_server.py",
    "service/commands/test_synthetic.py",
    "service/publish/test_sync.py",
    "service/archive/cubes/test_refusals.py",
    "service/archive/test_cube_media.py",
    "service/commands/test_grants.py",
    "service/operations/test_restore.py",
    "service/headers/test_life.py",
    "service/archive/test_roots.py",
    "service/edits/test_landed_together.py",
    "api/test_answers.py",
    "service/archive/cubes/test_oids.py",
    "service/test_unsteady.py",
    "service/archive/cubes/test_fingerprints.py",
    "service/edits/test_checksums.py",
    "service/demo/test_telemetry.py",
    "service/operations/test_retention.py",
    "service/commands/test_check.py",
    "console/test_file_edits.py",
    "console/test_file.py",
    "service/store/test_crash.py",
    "service/publish/test_cubes.py",
    "api/test_roles.py",
    "crash/test_headers.py",
    "e2e/cli/test_directories.py",
    "e2e/cli/test_up.py",
    "e2e/cli/test_bombs.py",
    "e2e/test_install.py",
    "crash/test_outages.py",
    "e2e/cli/test_session.py",
    "crash/test_load.py",
    "crash/test_kills.py",
    "crash/test_change_sets.py",
    "crash/test_pipe.py",
    "e2e/cli/test_fixhead.py",
    "crash/test_full_disks.py",
    "crash/test_slow_readers.py",
    "e2e/test_export_two_servers.py",
    "crash/test_intake.py",
    "crash/test_full_database.py",
    "crash/test_replay.py",
    "crash/test_uploads.py",
    "e2e/cli/test_backup.py",
    "e2e/cli/test_old_scripts.py",
    "e2e/cli/test_svo.py",
    "e2e/cli/test_ingestion_roots.py",
    "e2e/cli/test_header_lint.py",
    "e2e/cli/test_change_sets.py",
    "e2e/cli/test_same_names.py",
    "e2e/test_evening.py",
    "e2e/cli/test_export.py",
    "crash/test_change_feed.py",
    "crash/test_engine.py",
    "e2e/cli/test_status.py",
    "e2e/test_new_field.py",
    "e2e/test_demonstration.py",
    "e2e/cli/test_sites.py",
)
"""Modules of more than about ten seconds, in sieges fifteen, the longest first; sieges behind the others."""
_TESTS = Path(__file__).parent
_PLACES = {_TESTS / name: place for place, name in enumerate(LONG)}
_TOGETHER = {str((_TESTS / name).relative_to(_TESTS.parent)) for name in TOGETHER}


def share_of(nodeid: str) -> str:
    """Return what a process takes at once that takes a test: its module, or all modules of its directory."""
    module = nodeid.partition("::")[0]
    directory = module.rpartition("/")[0]
    return directory if directory in _TOGETHER else module


class Shares(LoadFileScheduling):
    """How pytest-xdist gives tests to processes."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist take modules in the order below, not those with the most tests first.

    In continuous integration, watch for tests that come too late. What a shell starts in the background ignores
    interrupts, and so would the programs that tests interrupt.
    """
    config.option.loadscopereorder = False
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    unsteady.configure(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares | None:
    """Let processes take modules, where they were asked to, as `Shares` does."""
    return Shares(config, log) if config.option.dist == "loadfile" else None


def pytest_collection_finish() -> None:
    """Let the collection of garbage look no more at the thousands of tests and what they import."""
    gc.collect()
    gc.freeze()


def pytest_report_header() -> str:
    """Say at the head of a run whether there is real data, without which some tests are not collected."""
    return realdata.told()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the modules that take longest: one of them at the end would leave all cores but one idle.

    The others stay in the order into which pytest-randomly has brought them, as do the tests of each.
    """
    realdata.leave_out(config, items)
    items.sort(key=lambda item: _PLACES.get(item.path, _PLACES.get(item.path.parent, len(LONG))))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look for the programs that a test needs, before its fixtures do."""
    programs.check(item)
