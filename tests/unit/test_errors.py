"""Every failure that a caller can meet has a stable code, a status and a sentence."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus

import pytest

import armillary
from armillary.errors import ArmillaryError


def all_errors() -> list[type[ArmillaryError]]:
    """Return every error class of every module."""
    for found in pkgutil.walk_packages(armillary.__path__, "armillary."):
        if not found.name.endswith(("__main__", "migrations.env")):
            importlib.import_module(found.name)
    return sorted(set(_below(ArmillaryError)), key=lambda one: f"{one.__module__}.{one.__name__}")


def _below(parent: type[ArmillaryError]) -> Iterator[type[ArmillaryError]]:
    for child in parent.__subclasses__():
        if child.__module__.startswith("armillary."):
            yield child
        yield from _below(child)


ERRORS = all_errors()


@pytest.mark.parametrize("error", ERRORS, ids=lambda one: one.__name__)
def test_an_error_has_code_status_and_message_of_its_own(error: type[ArmillaryError]) -> None:
    assert "code" in vars(error), "a code of its own"
    assert error.code == error.code.lower().strip()
    assert isinstance(error.status, HTTPStatus)
    assert error.status >= 400
    text = vars(error).get("__doc__") or ""
    assert text.endswith("."), "the docstring is the message"
    assert error().message == text.strip()
    assert error("x").message == "x"


def test_codes_are_unique() -> None:
    bearers: defaultdict[str, list[str]] = defaultdict(list)
    for error in ERRORS:
        bearers[error.code].append(error.__name__)
    assert {code: names for code, names in bearers.items() if len(names) > 1} == {}


def test_faults_of_the_server_are_few() -> None:
    ours = {one.code for one in ERRORS if one.status is HTTPStatus.INTERNAL_SERVER_ERROR}
    assert ours <= {
        "undeclared_route",
        "unknown_route",
        "unusable_certificate",
        "bad_profile",
        "bundle_broken",
        "command_failed",
        "dump_failed",
        "internal",
    }, sorted(ours)
