"""Programs of the system that tests need, marked by ``pytest.mark.needs(program, package)``."""

from __future__ import annotations

import os
import shutil

import pytest


def check(item: pytest.Item) -> None:
    """Fail a test if a program is missing that it needs, or skip it where nobody can install that.

    Whoever is root could, so a skip would only hide that something was not tested.
    """
    for mark in item.iter_markers("needs"):
        program, package = mark.args
        if shutil.which(program) is None:
            end = pytest.fail if os.geteuid() == 0 else pytest.skip
            end(f"{program} is missing: apt-get install {package}")
