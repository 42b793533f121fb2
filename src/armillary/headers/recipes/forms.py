"""How files write what is not a plain mapping of options: instants, windows, `valid`, constants, derived cards."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from armillary.headers.recipes.durations import instant
from armillary.headers.recipes.marked import Marked
from armillary.headers.recipes.models import (
    At,
    Constant,
    Derived,
    Fallback,
    Instant,
    Reading,
    Source,
    Valid,
    Window,
)
from armillary.headers.recipes.shapes import SCALARS, Hook, Reader

Path = tuple[str, ...]
READOUT, CLOSE = "readout_start", "shutter_close"


def hooks(moments: frozenset[str]) -> dict[Any, Hook]:
    """Return the forms of configurations; a window without an end ends at the close of the shutter, if known."""
    closing = Instant(CLOSE if CLOSE in moments else READOUT)

    def read_at(reader: Reader, node: Marked, path: Path) -> Any:
        if not isinstance(node.value, dict):
            return read_instant(reader, node, path)
        for key in node.mapping.keys() - {"window"}:
            reader.refuse(node.key_places[key], f"Unknown option {key} in at.", (*path, key))
        window = node.mapping.get("window", Marked(None, node.place))
        ends = window.items if isinstance(window.value, list) else [window]
        if not 1 <= len(ends) <= 2 or ends[0].value is None:
            return reader.refuse(window.place, "window must be [opening, closing].", path, "C05")
        found = [read_instant(reader, one, path) for one in ends]
        if UNSET in found:
            return UNSET
        return Window(found[0], found[1] if len(found) == 2 else closing)

    return {
        At: read_at,
        Instant: read_instant,
        Valid: read_valid,
        Constant: read_constant,
        Derived: read_derived,
        Fallback: read_fallback,
        Reading: read_reading,
    }


def read_instant(reader: Reader, node: Marked, path: Path) -> Any:
    """Read ``readout_start`` or ``readout_start - 200ms``."""
    try:
        if isinstance(node.value, str):
            return instant(node.value)
    except ValueError as error:
        return reader.refuse(node.place, f"{error}.", path, "C05")
    said = "Not a moment; write it as readout_start or readout_start - 200ms."
    return reader.refuse(node.place, said, path, "C05")


def read_valid(reader: Reader, node: Marked, path: Path) -> Any:
    """Read a range of two numbers, a list of values, or a regular expression."""
    if isinstance(node.value, str):
        return Valid(pattern=node.value)
    values = node.plain()
    if not isinstance(values, list) or not all(isinstance(one, SCALARS) for one in values):
        return reader.refuse(node.place, "valid must be [low, high], a list or a regular expression.", path)
    if len(values) == 2 and all(type(one) in (int, float) for one in values):
        return Valid(low=float(values[0]), high=float(values[1]))
    return Valid(choices=tuple(values))


def read_constant(reader: Reader, node: Marked, path: Path) -> Any:
    """Read a value, or a mapping with `value`."""
    if isinstance(node.value, dict):
        return reader.struct(node, Constant, path)
    if type(node.value) not in SCALARS or node.value != node.value:
        said = f"The constant {path[-1]} must be a text, a finite number, true or false."
        return reader.refuse(node.place, said, path, "T07")
    return Constant(node.value)


def read_derived(reader: Reader, node: Marked, path: Path) -> Any:
    """Read an expression, or a mapping with `expression`, which may be called `derive` as in fallbacks."""
    if isinstance(node.value, str):
        return Derived(node.value)
    entries = dict(node.mapping)
    if "derive" in entries and "expression" not in entries:
        entries["expression"] = entries.pop("derive")
        node = Marked(entries, node.place, node.key_places)
    return reader.struct(node, Derived, path)


def read_fallback(reader: Reader, node: Marked, path: Path) -> Any:
    """Read exactly one of a source, an expression and a constant."""
    found = reader.struct(node, Fallback, path)
    if found is UNSET:
        return UNSET
    if sum(one is not None for one in (found.source, found.derive, found.constant)) != 1:
        return reader.refuse(node.place, "A fallback has one of source, derive and constant.", path)
    return found


def read_reading(reader: Reader, node: Marked, path: Path) -> Any:
    """Read a source, a mapping with `source` and `at`, or a constant; by image id it is read at the end."""
    if not isinstance(node.value, dict):
        value = reader.read(node, str | int, path)
        return UNSET if value is UNSET else Reading(constant=value)
    if "from" not in node.mapping:
        return reader.struct(node, Reading, path)
    source = reader.struct(node, Source, path)
    if source is UNSET:
        return UNSET
    return Reading(source, Instant("end") if source.match else Instant("integration_start"))
