"""A program that is missing fails the tests that need it, where it could be installed."""

from __future__ import annotations

import os

import pytest

from tests.conftest import pytest_runtest_setup


@pytest.mark.parametrize(("user", "end"), [(0, pytest.fail.Exception), (1000, pytest.skip.Exception)])
def test_who_could_install_a_missing_program_has_no_test_skipped(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, user: int, end: type[BaseException]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    request.node.add_marker(pytest.mark.needs("sh", "dash"))
    pytest_runtest_setup(request.node)
    request.node.add_marker(pytest.mark.needs("/no/such/program", "some-package"))
    with pytest.raises(end, match="/no/such/program is missing: apt-get install some-package"):
        pytest_runtest_setup(request.node)
