"""The tiles of one plane of a compressed cube as a table of their own, so that no others are read.

The tiles of a plane follow each other in the table. A header that speaks of these rows alone, and of the same
heap, makes an image of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from armillary.fits.models import Value

_SEEDS = 10_000
"""Dithering repeats itself after so many tiles (FITS 4.0, section 10.2.1)."""


@dataclass(frozen=True, slots=True)
class Window:
    """Some rows of a table: ``skipped`` bytes of rows come before their ``size`` bytes.

    ``cards`` are what a header says of them, and ``indices`` where the plane is in the image that they make.
    """

    skipped: int
    size: int
    cards: Mapping[str, int]
    indices: tuple[int, ...]


def window_of(
    values: Mapping[str, Value],
    axes: Sequence[int],
    tile: Sequence[int],
    shown: Collection[int],
    indices: Sequence[int],
) -> Window | None:
    """Return where the tiles of a plane are; nothing where the table is too short to have them.

    All but ``values`` go from the fastest axis to the slowest; ``shown`` are the places of the axes of the plane,
    and axes of more than one pixel come behind them. The image has one axis more: whoever is asked for all of an
    image may read the whole heap at once, and that of a cube is too large.
    """
    width, count, heap = (_integer(values.get(one)) for one in ("NAXIS1", "NAXIS2", "PCOUNT"))
    grid = [-(-length // size) for length, size in zip(axes, tile, strict=True)]
    rows, first = prod(grid[place] for place in shown), 0
    cards: dict[str, int] = {}
    inside: list[int] = []
    for place, index in enumerate(indices):
        number, within = (0, 0) if place in shown else divmod(index, tile[place])
        first += number * prod(grid[:place])
        length = axes[place] if place in shown else min(tile[place], axes[place] - number * tile[place])
        cards |= {f"ZNAXIS{place + 1}": length, f"ZTILE{place + 1}": min(tile[place], length)}
        inside.append(within)
    if first + rows > count:
        return None
    more = len(axes) + 1
    cards |= {"NAXIS2": rows, "ZNAXIS": more, f"ZNAXIS{more}": 2, f"ZTILE{more}": 1}
    cards |= {
        "PCOUNT": heap + width * (count - rows),
        "THEAP": _integer(values.get("THEAP")) or width * count,
    }
    if seed := _integer(values.get("ZDITHER0")):
        cards["ZDITHER0"] = (seed - 1 + first) % _SEEDS + 1
    return Window(first * width, rows * width, cards, (*inside, 0))


def _integer(value: Value) -> int:
    return value if type(value) is int else 0
