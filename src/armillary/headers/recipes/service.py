"""What recipes offer to others: a directory read and judged, and resolved documents as bytes.

An exposure keeps the revision that was in force when it began. Store the bytes of `dump` by `rev` before the first
exposure is bound to it, and read them with `read_recipe` and `read_template`: they are complete by themselves.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from armillary.headers.errors import ConfigurationExists, UnknownInstrument
from armillary.headers.recipes.documents import dump, read_recipe, read_template
from armillary.headers.recipes.lint.judging import blocking, lint
from armillary.headers.recipes.loading import PARTS, Loaded, changed, load, recipes_in
from armillary.headers.recipes.schema import schema

__all__ = [
    "Loaded",
    "blocking",
    "changed",
    "copy_reference",
    "dump",
    "lint",
    "load",
    "read_recipe",
    "read_template",
    "recipes_in",
    "reference_directory",
    "schema",
]


def reference_directory() -> Path:
    """Return the directory with the three reference instruments that this program brings along."""
    return Path(str(files("armillary.headers") / "reference"))


def copy_reference(directory: Path, instrument: str | None = None) -> list[Path]:
    """Write the reference files, or those that one reference instrument needs, and return their paths.

    Raises
    ------
    ConfigurationExists
        If the directory has instruments, templates or a catalog already.
    UnknownInstrument
        If there is no such reference instrument.
    """
    source = reference_directory()
    if instrument is not None and not (source / "instruments" / f"{instrument}.yaml").is_file():
        names = sorted(path.stem for path in source.glob("instruments/*.yaml"))
        raise UnknownInstrument(
            f"There is no reference instrument {instrument}; choose from {', '.join(names)}."
        )
    if any((directory / part).exists() for part in PARTS):
        raise ConfigurationExists(f"{directory} has {' or '.join(PARTS)} already; nothing was written.")
    written = []
    for path in sorted(source.rglob("*.yaml")):
        name = path.relative_to(source)
        if instrument is not None and not _belongs(name, instrument):
            continue
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        written.append(target)
    return written


def _belongs(name: Path, instrument: str) -> bool:
    """Tell whether an instrument needs a reference file: its own, what all have in common, and the catalogue."""
    match name.parts:
        case ("instruments", file):
            return file == f"{instrument}.yaml"
        case ("templates", owner, _):
            return owner in ("common", instrument)
    return True
