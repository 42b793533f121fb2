"""What recipes offer to others: a directory read and judged, and resolved documents as bytes.

An exposure keeps the revision that was in force when it began. Store the bytes of `dump` by `rev` before the first
exposure is bound to it, and read them with `read_recipe` and `read_template`: they are complete by themselves.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from armillary.headers.recipes.documents import dump, read_recipe, read_template
from armillary.headers.recipes.loading import Loaded, changed, load

__all__ = ["Loaded", "changed", "dump", "load", "read_recipe", "read_template", "reference_directory"]


def reference_directory() -> Path:
    """Return the directory with the three reference instruments that this program brings along."""
    return Path(str(files("armillary.headers") / "reference"))
