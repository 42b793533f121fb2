"""What the files of a series share in the catalog: written once, and each file as its difference from it.

Files of a series agree in nine cards of ten. The headers of its first file are one row of ``series``. A version
that refers to it has its headers compressed with those as dictionary, some fifty bytes instead of two thousand; a
frame that refers to it has only the keywords that may differ. A keyword of a frame has the value in its own
keywords if it is there, and that of the series otherwise. Rows of ``series`` are never changed and never deleted.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakKeyDictionary

import zstandard

from armillary.archive.catalog.keywords import searchable_keywords, to_json
from armillary.fits.models import Value
from armillary.fits.series import HeaderValues, Series

LEVEL = 1
"""With so much repetition higher levels take four times the time and save no byte."""


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A row of ``series``; the id follows from the rest, so that it needs no transaction.

    ``headers`` are those of all HDUs of the first file, compressed.
    """

    id: UUID
    headers: bytes
    keywords: str


@dataclass(frozen=True, slots=True)
class CatalogSeries:
    """A series as the catalog knows it, and what the rows of its files are made with."""

    row: SeriesRow
    shared: Mapping[str, Value]
    pack: Callable[[bytes], bytes]


class _Plain(threading.local):
    """A compressor serves one thread at a time."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=LEVEL).compress


_plain = _Plain()
_known: WeakKeyDictionary[Series, CatalogSeries] = WeakKeyDictionary()


def series_of(values: HeaderValues | None) -> CatalogSeries | None:
    """Return the series that the headers of a file belong to, if they do; for one thread."""
    if values is None or values.series is None:
        return None
    return _known.get(values.series) or _remember(values.series)


def _remember(series: Series) -> CatalogSeries:
    shared = searchable_keywords(series.values)
    first, text = b"".join(series.headers), to_json(shared)
    digest = hashlib.sha256(first + text.encode()).digest()
    known = zstandard.ZstdCompressionDict(first, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    known.precompute_compress(level=LEVEL)
    pack = zstandard.ZstdCompressor(level=LEVEL, dict_data=known).compress
    row = SeriesRow(UUID(bytes=digest[:16]), _plain.compress(first), text)
    found = _known[series] = CatalogSeries(row, shared, pack)
    return found


def own_keywords(values: HeaderValues, series: CatalogSeries, records: Mapping[str, Value]) -> str:
    """Return the JSON text of the keywords in which a file may differ from its series, and of its records."""
    wanted = values.changed & series.shared.keys()
    if len(values.headers) == 1:
        (only,) = values.headers
        return to_json({**records, **{keyword: only[keyword] for keyword in wanted}})
    return to_json({**records, **{keyword: _first_of(values.headers, keyword) for keyword in wanted}})


def _first_of(headers: Sequence[Mapping[str, Value]], keyword: str) -> Value:
    for header in headers:
        if keyword in header:
            return header[keyword]
    raise KeyError(keyword)


def pack_headers(headers: Sequence[bytes], series: CatalogSeries | None) -> bytes:
    """Return the headers of a file as the catalog holds them; for one thread."""
    joined = b"".join(headers)
    return series.pack(joined) if series else _plain.compress(joined)
