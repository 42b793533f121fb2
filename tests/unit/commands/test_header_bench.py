"""The command that measures rendering."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from armillary.commands.headers import app


def test_cards_and_times_of_an_instrument() -> None:
    found = CliRunner().invoke(app, ["bench", "--instrument", "spec1", "--json"])
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told.keys() == {"cards", "render_s", "yaml_s", "ratio"}
    assert told["cards"] > 250
    assert told["render_s"] > 0
    assert told["ratio"] == told["yaml_s"] / told["render_s"]


def test_an_unknown_instrument_is_refused() -> None:
    assert CliRunner().invoke(app, ["bench", "--instrument", "cam1000"]).exit_code != 0
