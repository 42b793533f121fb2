"""Headers in all their forms as sheets: FITS, texts of cards, side-cars, the JSON of players, YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from armillary.errors import ArmillaryError
from armillary.fits.cards import find_end
from armillary.fits.header import Header
from armillary.fits.models import BLOCK, CARD, ReadAt, Value
from armillary.fits.scan import scan
from armillary.headers.rules.sheet import Cell, Page, Place, Sheet

_BEGINS = ("SIMPLE  =", "XTENSION=")
_CARD = re.compile(r"[A-Z0-9_-]{1,8} *= |(?:COMMENT|HISTORY|HIERARCH|CONTINUE)\b| {8}")
_COMMON, _CONTENT = "__COMMON__", "__CONTENT__"
_DETECTOR = re.compile(r"R\d\d_S\w\d")
_DAMAGED = 1 << 20
"""Bytes of a damaged file in which its first header is looked for."""
_YAML_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)$", re.ASCII)
_YAML_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$",
    re.ASCII,
)
_NAMED = ("keyword", "key", "name")


class Unreadable(ArmillaryError):
    """No header can be read from this; send FITS, a text of cards, JSON or YAML."""

    code, status = "header_unreadable", HTTPStatus.UNPROCESSABLE_ENTITY


def sheets_of(data: bytes, name: str, site: Place | None = None, *, yaml: bool = True) -> list[Sheet]:
    """Return the headers in the content of a file; more than one only from a JSON list.

    Parameters
    ----------
    yaml
        Whether YAML is read, too: few bytes of it can mean a lot, so not from strangers.

    Raises
    ------
    Unreadable
        If the content has none of the known forms.
    """
    if is_fits(data[:BLOCK]):
        return [scanned_sheet(lambda at, size: data[at : at + size], len(data), name, site)]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if text.lstrip()[:1] in ("{", "["):
        return json_sheets(text, name, site)
    if any(mark in text for mark in _BEGINS):
        return [text_sheet(text, name, site)]
    if not yaml:
        raise Unreadable(f"{name} is neither FITS, cards nor JSON.")
    return yaml_sheets(text, name, site)


def is_fits(head: bytes) -> bool:
    """Tell FITS from a text that begins as one by its first block: FITS has no line breaks."""
    return head[:9] == b"SIMPLE  =" and len(head) >= BLOCK and b"\n" not in head[: 10 * CARD]


def scanned_sheet(read: ReadAt, size: int, name: str, site: Place | None = None) -> Sheet:
    """Return the header of a FITS file, of a damaged one what can be read of it; data are not read."""
    try:
        layout = scan(read, size)
    except ArmillaryError as error:
        return _damaged(read, size, name, site, error.message)
    return raw_sheet(layout.headers, [hdu.name for hdu in layout.hdus], name, site)


def _damaged(read: ReadAt, size: int, name: str, site: Place | None, message: str) -> Sheet:
    head = read(0, min(size, _DAMAGED))
    end = find_end(head)
    body = head[: end + CARD] if end >= 0 else head
    try:
        return replace(text_sheet(body.decode("latin-1"), name, site), trouble=message)
    except Unreadable:
        return trouble(name, message)


def trouble(name: str, message: str) -> Sheet:
    """Return the sheet of a file of which no header can be read."""
    return Sheet((), name, trouble=message)


def raw_sheet(
    headers: Sequence[bytes],
    names: Sequence[str],
    name: str,
    site: Place | None = None,
    trouble: str | None = None,
) -> Sheet:
    """Return the sheet of header bytes, one for each HDU."""
    pages = tuple(
        Page(called or ("PRIMARY" if not n else ""), _cells_of(raw), raw)
        for n, (raw, called) in enumerate(zip(headers, names, strict=True))
    )
    return Sheet(pages, name, site, trouble)


def _cells_of(raw: bytes) -> tuple[Cell, ...]:
    return tuple(Cell(card.keyword, card.value, card.comment) for card in Header(raw).cards)


def text_sheet(text: str, name: str, site: Place | None = None) -> Sheet:
    """Return the sheet of a text of cards: one a line, or 80 characters each without line breaks.

    Lines that are no cards, as headings between the HDUs, are left out. A text breaks long cards as it likes, so
    only whole cards are judged by their bytes.
    """
    head = text[: 10 * CARD]
    lines = text.splitlines() if "\n" in head else [text[at : at + CARD] for at in range(0, len(text), CARD)]
    headers: list[list[str]] = []
    ended = True
    for line in lines:
        if line.startswith(_BEGINS):
            headers.append([])
            ended = False
        if not headers or ended:
            continue
        if line[:8].rstrip() == "END":
            ended = True
        elif _CARD.match(line):
            headers[-1].append(line)
    if not headers:
        raise Unreadable(f"{name}: no card SIMPLE or XTENSION begins a header in it.")
    raws = [_packed(lines) for lines in headers]
    names = [str(Header(raw).get("EXTNAME") or "") for raw in raws]
    return raw_sheet(raws, names, name, site)


def _packed(lines: Iterable[str]) -> bytes:
    body = b"".join(line[:CARD].ljust(CARD).encode("latin-1", "replace") for line in lines) + b"END".ljust(
        CARD
    )
    return body.ljust(-(-len(body) // BLOCK) * BLOCK)


def json_sheets(text: str, name: str, site: Place | None = None) -> list[Sheet]:
    """Return the headers in a JSON text; NaN and infinities are read, so that they can be found."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{name} is no JSON: {error}") from None
    return document_sheets(document, name, site)


def yaml_sheets(text: str, name: str, site: Place | None = None) -> list[Sheet]:
    """Return the header in a YAML text. Dates stay texts, as in headers."""
    import yaml

    try:
        document = yaml.load(text, Loader=_header_loader())  # noqa: S506 (a safe loader without dates)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = getattr(error, "problem", None) or error
        raise Unreadable(f"{name} is neither FITS, cards, JSON nor YAML: {problem}") from None
    if not isinstance(document, dict | list):
        raise Unreadable(f"{name} is neither FITS, cards, JSON nor a YAML of cards.")
    return document_sheets(document, name, site)


def _header_loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """A safe loader for which dates and sexagesimal numbers are texts."""

        yaml_implicit_resolvers = {  # noqa: RUF012
            key: [one for one in found if not one[0].endswith(("timestamp", ":int", ":float"))]
            for key, found in base.yaml_implicit_resolvers.items()
        }

    Loader.add_implicit_resolver("tag:yaml.org,2002:int", _YAML_INT, list("-+0123456789"))
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _YAML_FLOAT, list("-+0123456789."))
    return Loader


def document_sheets(document: Any, name: str, site: Place | None = None) -> list[Sheet]:
    """Return the headers of a decoded JSON or YAML document.

    Raises
    ------
    Unreadable
        If it has none of the known forms.
    """
    if isinstance(document, list) and not _are_cards(document):
        named = [(_name_of(one, f"{name}[{n}]"), one) for n, one in enumerate(document)]
        return [_document_sheet(one, called, site) for called, one in named]
    return [_document_sheet(document, name, site)]


def _document_sheet(document: Any, name: str, site: Place | None) -> Sheet:
    pages = tuple(_pages(document))
    if not any(page.cells for page in pages):
        raise Unreadable(
            f"{name} holds no cards: a header is {{KEYWORD: value}}, a side-car or a list of HDUs."
        )
    return Sheet(pages, name, site)


def _name_of(document: Any, otherwise: str) -> str:
    named = document.get("file") if isinstance(document, dict) else None
    return named if isinstance(named, str) and named else otherwise


def _are_cards(document: Sequence[Any]) -> bool:
    return bool(document) and all(isinstance(one, dict) and ("value" in one) for one in document)


def _pages(document: Any) -> Iterator[Page]:
    if isinstance(document, list):
        yield from _by_hdu(document)
    elif not isinstance(document, dict):
        return
    elif isinstance(inner := document.get("header"), dict | list) and not _wraps(inner):
        yield from _pages(inner)
    elif isinstance(document.get("cards"), list):
        yield from _by_hdu(document["cards"])
    elif isinstance(document.get("hdus"), list):
        for n, hdu in enumerate(document["hdus"]):
            if isinstance(hdu, dict):
                held = hdu.get("cards")
                cells = (
                    _cells(held) if isinstance(held, list) else _flat(held) if isinstance(held, dict) else ()
                )
                yield Page(str(hdu.get("name") or ("PRIMARY" if n == 0 else "")), tuple(cells))
    elif _COMMON in document or _CONTENT in document:
        yield from _played(document)
    elif document and all(isinstance(one, list) for one in document.values()):
        for hdu_name, held in document.items():
            yield Page(str(hdu_name), tuple(_cells(held)))
    elif document and all(isinstance(one, dict) for one in document.values()):
        for hdu_name, held in document.items():
            yield Page(str(hdu_name), tuple(_flat(held)))
    else:
        yield Page("PRIMARY", tuple(_flat(document)))


def _wraps(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("header"), dict | list)


def _by_hdu(cards: Sequence[Any]) -> Iterator[Page]:
    """Return the pages of cards that say of which HDU they are, in order of their first card."""
    held: dict[str, list[Any]] = {}
    for card in cards:
        if isinstance(card, dict):
            held.setdefault(str(card.get("hdu") or "PRIMARY"), []).append(card)
    for hdu_name, theirs in held.items():
        yield Page(hdu_name, tuple(_cells(theirs)))


def _played(document: Mapping[str, Any]) -> Iterator[Page]:
    """Return the pages of a header as players of recorded exposures have it: what is common, and by file."""
    common = document.get(_COMMON)
    yield Page("PRIMARY", tuple(_flat(common if isinstance(common, dict) else document)))
    if isinstance(common, dict):
        for file, own in document.items():
            if isinstance(own, dict) and own and file != _COMMON:
                found = _DETECTOR.search(file)
                yield Page(f"{found[0]}_PRIMARY" if found else file, tuple(_flat(own)))


def _cells(cards: Iterable[Any]) -> Iterator[Cell]:
    for card in cards:
        if isinstance(card, dict):
            keyword = next((card[one] for one in _NAMED if isinstance(card.get(one), str)), "")
            unit, comment = card.get("unit"), card.get("comment")
            yield Cell(
                _plain(keyword),
                _value(card.get("value")),
                comment if isinstance(comment, str) else "",
                unit if isinstance(unit, str) else "",
                card.get("age_s"),
                card.get("pick"),
            )


def _flat(values: Mapping[str, Any]) -> Iterator[Cell]:
    for keyword, value in values.items():
        if isinstance(keyword, str) and not keyword.startswith("__") and not isinstance(value, dict):
            yield Cell(_plain(keyword), _value(value))


def _plain(keyword: str) -> str:
    return keyword.strip().removeprefix("HIERARCH ").upper()


def _value(value: Any) -> Value:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list) and len(value) == 2 and all(isinstance(one, int | float) for one in value):
        return complex(value[0], value[1])
    # Not as text: aliases of YAML let few bytes mean more than any memory holds.
    return f"<{type(value).__name__}>"
