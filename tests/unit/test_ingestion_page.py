"""The page on cubes tells of everything that can be said of them, and of nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from armillary.api.sst_archive.requests import FIELDS
from armillary.archive.cubes.models import STEPS
from armillary.settings import IngestionSettings, SstSettings

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "ingestion.md").read_text()
REFERENCE = (TOP / "docs" / "reference.md").read_text()


def table(title: str) -> list[str]:
    """Return the first cells of a table by the title of its first column."""
    rows = PAGE.partition(f"| {title} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_the_page_names_every_setting() -> None:
    settings = {f"ingestion.{name}" for name in IngestionSettings.model_fields}
    settings |= {f"sst.{name}" for name in SstSettings.model_fields}
    assert set(table("Setting")) == settings | {"archive.quiet_s"}


def test_the_page_names_every_field_of_a_request() -> None:
    assert sorted(table("Field of a request")) == sorted(FIELDS)


def test_the_page_names_every_step_in_its_order() -> None:
    assert tuple(table("Step")) == STEPS


def test_the_page_names_no_error_and_no_option_that_is_none() -> None:
    codes = set(re.findall(r"^\| `([a-z0-9_]+)` \| \d{3} \|", REFERENCE, re.M))
    assert set(table("Code")) <= codes
    told = PAGE.partition("| Field of a request |")[2].partition("\n\n")[0]
    options = {re.sub("^--not?-", "--", one) for one in re.findall(r"`(--[a-z-]+)`", told)}
    (known,) = re.findall(r"^\| `armillary ingest` .*", REFERENCE, re.M)
    assert [one for one in sorted(options) if f"`{one}`" not in known] == []
    assert len(options) > 10
