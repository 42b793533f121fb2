"""Each contract of import-linter holds, and one import that it forbids is enough to break it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter import api
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract

import armillary

KINDS = {
    "acyclic_siblings": AcyclicSiblingsContract,
    "forbidden": ForbiddenContract,
    "layers": LayersContract,
}
BREACHES = {
    "Dialects know nouns, nouns know the base, the base knows FITS": ("edits.acceptance", "exports.service"),
    "Dialects stand on one floor and never meet": ("api.native.edits", "api.gemini.requests"),
    "Wings of the archive": ("archive.catalog.store", "archive.query.search"),
    "Pages stand on the floor of the dialects and know none of them": (
        "console.overview",
        "api.native.files",
    ),
    "Inside a noun or a wing: tasks, service, store, tables, models": ("pipe.store", "pipe.service"),
    "The base knows no astronomy, and of FITS only what an edit replaces and how bytes are summed": (
        "base.store.local",
        "fits.header",
    ),
    "Commands make no statements": ("commands.edits", "sqlalchemy"),
    "The truth about simulated headers knows nothing of how headers are made": (
        "demo.telemetry.truth",
        "headers.render.plan",
    ),
    "The virtual observatory to practise with and the client of it share no code": (
        "demo.svo.server",
        "publish.svo.replies",
    ),
    "The client of the virtual observatory knows nothing of the one to practise with": (
        "publish.svo.replies",
        "demo.svo.values",
    ),
    "Wings of headers: services over rendering over recipes": (
        "headers.delivery.store",
        "headers.merging.store",
    ),
    "Recipes are values: no database, no network, no state of the program": (
        "headers.recipes.models",
        "base.log",
    ),
    "FITS and sky are pure: no connections, no processes, no event loop": ("sky.nights", "asyncio"),
    "No circles: of the rooms of any place, none leads back to itself": (
        "archive.query.grammar.times",
        "archive.query.criteria",
    ),
}
"""Of each contract, an import that nothing but this contract may have to forbid."""
CONFIGURATION = api.read_configuration(str(Path(armillary.__file__).parents[2] / "pyproject.toml"))


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Return who imports whom."""
    return grimp.build_graph("armillary", include_external_packages=True, cache_dir=None)


def is_kept(contract: dict[str, Any], graph: grimp.ImportGraph) -> bool:
    """Tell whether a contract is kept; checking it changes the graph."""
    options = CONFIGURATION["session_options"]
    checked = KINDS[contract["type"]](contract["name"], options, contract).check(graph, verbose=False)
    return bool(checked.kept)


def test_every_contract_has_a_breach() -> None:
    assert [one["name"] for one in CONFIGURATION["contracts_options"]] == list(BREACHES)


@pytest.mark.parametrize("contract", CONFIGURATION["contracts_options"], ids=lambda one: one["name"])
def test_a_contract_is_broken_by_one_import(contract: dict[str, Any], graph: grimp.ImportGraph) -> None:
    broken = copy.deepcopy(graph)
    importer, imported = (
        f"armillary.{name}" if f"armillary.{name}" in graph.modules else name
        for name in BREACHES[contract["name"]]
    )
    assert {importer, imported} <= graph.modules
    assert is_kept(contract, copy.deepcopy(graph))
    broken.add_import(importer=importer, imported=imported)
    assert not is_kept(contract, broken)
