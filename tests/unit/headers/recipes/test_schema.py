"""The published schema accepts what the program reads, and refuses unknown options."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import pytest

from armillary.headers.recipes import service
from armillary.headers.recipes.marked import read_marked

REFERENCE = service.reference_directory()


def document(name: str) -> dict[str, object]:
    """Return a file of the reference instruments as plain values."""
    marked, _ = read_marked((REFERENCE / "instruments" / name).read_bytes(), name)
    assert marked is not None
    plain: dict[str, object] = marked.plain()
    return plain


@pytest.fixture(scope="module")
def validator() -> jsonschema_rs.Draft202012Validator:
    """Return a validator of the schema, which must be one."""
    schema = service.schema()
    jsonschema_rs.meta.validate(schema)
    return jsonschema_rs.Draft202012Validator(schema)


@pytest.mark.parametrize("name", ["spec1.yaml", "cam9.yaml", "cam205.yaml", "common/base.yaml"])
def test_reference_files_keep_to_the_schema(validator: jsonschema_rs.Draft202012Validator, name: str) -> None:
    assert [one.message for one in validator.iter_errors(document(name))] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"tone": "red"},
        {"keywords": {"A": {"hue": "red"}}},
        {"keywords": {"A": {"max_age": "5 fortnights"}}},
        {"keywords": {"A": {"pick": "best"}}},
        {"keywords": {"A": {"at": {"window": []}}}},
        {"timing": {"d1": -1}},
        {"constants": {"A": [1]}},
        {"timesys": 3},
    ],
)
def test_what_lint_refuses_the_schema_refuses(
    validator: jsonschema_rs.Draft202012Validator, wrong: dict[str, object], tmp_path: Path
) -> None:
    assert list(validator.iter_errors({"schema": "armillary.header/1", **wrong}))
