"""The page for operators speaks of settings, metrics, commands and errors that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from armillary.base.metrics import REGISTRY
from armillary.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "operations.md").read_text()
REFERENCE = (DOCS / "reference.md").read_text()
SECTIONS = "|".join(Settings.model_fields)
GAUGES = {
    "armillary_queue_orders",
    "armillary_queue_oldest_seconds",
    "armillary_queue_held",
    "armillary_workers",
    "armillary_failed_orders",
    "armillary_root_free_bytes",
    "armillary_pipe_items",
    "armillary_pipe_oldest_seconds",
    "armillary_pipe_machine_silent_seconds",
}


@pytest.mark.parametrize("name", sorted(set(re.findall(rf"`((?:{SECTIONS})\.[a-z_]+)[` ]", PAGE))))
def test_a_setting_is_in_the_reference(name: str) -> None:
    assert f"| `{name}` |" in REFERENCE


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"armillary_[a-z_]+", PAGE)) - {"armillary_worker", "armillary_web"})
)
def test_a_metric_is_counted(name: str) -> None:
    counted = {sample.name for family in REGISTRY.collect() for sample in family.samples}
    families = {family.name for family in REGISTRY.collect()}
    assert name in counted | families | GAUGES | {f"{family}_total" for family in families}


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"armillary (?:db |root |grants )?[a-z]+(?= |`|$)", PAGE, re.M)))
)
def test_a_command_is_in_the_reference(command: str) -> None:
    assert f"| `{command}` |" in REFERENCE


@pytest.mark.parametrize("code", sorted(set(re.findall(r"\(410, `([a-z_]+)`\)", PAGE))))
def test_an_error_is_in_the_reference(code: str) -> None:
    assert f"| `{code}` | 410 |" in REFERENCE
