"""A field is added to frames in a copy of the program: three files, and everything else follows."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.archive import put
from tests.support.command import Commands
from tests.support.headers import a_file

TOP = Path(__file__).parents[2]
FIELD = (
    '    _hot("seeing_arcsec", "number", 0.0, 100.0, asked=("seeing_min", "seeing_max"), unit="arcsec"),\n'
)
LAST = '    _hot("profile", '
SOURCE = 'seeing_arcsec = ["SEEING"]\n'
MIGRATION = '''"""Add the seeing to frames."""

from armillary.migrations.scripts import execute

revision = "9999"
down_revision = "{last}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute("ALTER TABLE frame ADD COLUMN seeing_arcsec double precision")


def downgrade() -> None:
    execute("ALTER TABLE frame DROP COLUMN seeing_arcsec")
'''


def files_of(top: Path) -> dict[str, str]:
    """Return the digests of all files that people write, by name."""
    paths = [path for path in top.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(one.relative_to(top)): hashlib.sha256(one.read_bytes()).hexdigest() for one in paths}


def add_field(source: Path) -> None:
    """Add the seeing: what it is, where headers tell it, and its column."""
    fields = source / "archive" / "fields.py"
    text = fields.read_text()
    assert text.count(LAST) == 1
    fields.write_text(text.replace(LAST, FIELD + LAST))
    profile = source / "archive" / "intake" / "profiles" / "data" / "generic.toml"
    text = profile.read_text()
    assert text.count("[fields]\n") == 1
    profile.write_text(text.replace("[fields]\n", f"[fields]\n{SOURCE}"))
    versions = source / "migrations" / "versions"
    last = max(path.name[:4] for path in versions.glob("[0-9]*.py"))
    (versions / "9999_seeing.py").write_text(MIGRATION.format(last=last))


def test_a_field_is_a_line_a_source_and_a_migration(tmp_path: Path) -> None:
    for name in ("src", "scripts"):
        shutil.copytree(TOP / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests" / "data").mkdir(parents=True)
    shutil.copy(TOP / "tests" / "data" / "migrations.sha256", tmp_path / "tests" / "data")
    before = files_of(tmp_path / "src")
    add_field(tmp_path / "src" / "armillary")
    after = files_of(tmp_path / "src")
    touched = {name for name in before | after if before.get(name) != after.get(name)}
    assert {Path(name).name for name in touched} == {"fields.py", "generic.toml", "9999_seeing.py"}
    environment = {"PYTHONPATH": str(tmp_path / "src")}
    # What the migrations make is written down by the script that every migration is followed by.
    script = tmp_path / "scripts" / "schema.py"
    subprocess.run([sys.executable, script], env=os.environ | environment, check=True, timeout=300)

    for name, seeing in (("good.fits", 0.4), ("bad.fits", 2.5)):
        put(tmp_path / "night" / name, a_file(cards=[("SEEING", seeing, "arcsec")]))
    commands = Commands(tmp_path / "data", environment)
    commands.run("ingest", "--copy", tmp_path / "night")
    (found,) = commands.run("search", "--seeing-max", "1", "--json").json()["frames"]
    assert (found["name"], found["seeing_arcsec"]) == ("good.fits", 0.4)
    with commands.up() as (_, address), httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
        told = client.get("/v1/frames", params={"seeing_min": 1}).json()["frames"]
        assert [one["name"] for one in told] == ["bad.fits"]
        parameters = client.get("/openapi.json").json()["paths"]["/v1/frames"]["get"]["parameters"]
        assert {"seeing_min", "seeing_max"} <= {one["name"] for one in parameters}
