"""Forms that edit a card: judged while somebody types, sent, and taken back."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from armillary.api.http.calls import Call
from armillary.archive.catalog.models import Version
from armillary.archive.query import service as query
from armillary.archive.query.service import Record
from armillary.base.text import storable
from armillary.base.work import wait_for
from armillary.base.work.admin import find_orders
from armillary.console.files.cards import Cards, ShownCard
from armillary.console.routing import Form
from armillary.edits import service as edits
from armillary.edits.errors import EditNotFound, ItemRefused
from armillary.edits.models import APPENDED, CardState, EditRequest, Origin, Target
from armillary.edits.service import Discretion, Key, checked, rules_of, states_of, status_of, submit_edit
from armillary.errors import ArmillaryError, BadRequest, error_of
from armillary.fits.header import Header
from armillary.fits.models import CardChange, Value
from armillary.fits.texts import keep_text
from armillary.fits.values import read_field

PATIENCE_S = 5.0
"""How long a page waits for a worker before it says that the order waits."""
MAX_WHY = 1000
KINDS = {"text": "Text", "number": "Number", "logical": "T or F", "undefined": "Undefined"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a form says: a card of an HDU, as texts; ``new`` if it was not there."""

    hdu: int
    keyword: str
    value: str = ""
    kind: str = "text"
    comment: str = ""
    why: str = ""
    version: int | None = None
    new: bool = False
    key: str = ""

    @classmethod
    def of_form(cls, form: Form) -> Wish:
        """Return what a form says.

        Raises
        ------
        BadRequest
            If it is not a form of these pages.
        """
        hdu, keyword = place_of(form.text("card"))
        version = form.text("version")
        if version and not (version.isascii() and version.isdecimal() and len(version) < 19):
            raise BadRequest("The form names no version of the file; load the page again.")
        wish = cls(
            hdu=hdu,
            keyword=keyword or form.text("keyword").strip(),
            value=form.text("value"),
            kind=form.text("kind", "text"),
            comment=form.text("comment"),
            why=form.text("why").strip(),
            version=int(version) if version else None,
            new=not keyword,
            key=form.text("key"),
        )
        if not all(map(storable, (wish.keyword, wish.why, wish.key))) or len(wish.why) > MAX_WHY:
            raise BadRequest(
                f"A reason is a text of at most {MAX_WHY} characters, without control characters."
            )
        return wish

    @property
    def card(self) -> str:
        """What a form calls the card by."""
        return f"{self.hdu}:{'' if self.new else self.keyword}"


def place_of(text: str) -> tuple[int, str]:
    """Return HDU and keyword of a card from what a form calls it.

    Raises
    ------
    BadRequest
        If it is none.
    """
    hdu, colon, keyword = text.partition(":")
    if not colon or not (hdu.isascii() and hdu.isdecimal() and len(hdu) < 7) or not storable(keyword):
        raise BadRequest("The address names no card; choose one on the page of the file.")
    return int(hdu), keyword


def wish_of(card: ShownCard, version: Version) -> Wish:
    """Return what a form says at first of a card that is there."""
    return Wish(
        hdu=card.hdu,
        keyword=card.keyword,
        value=card.value,
        kind=card.kind if card.kind != "unreadable" else "text",
        comment=card.comment,
        version=version.id,
    )


async def request_of(call: Call, name: str, record: Record, wish: Wish) -> EditRequest:
    """Return what a form asks for: of the cards as they were when it was made.

    Raises
    ------
    ItemRefused
        If that cannot be.
    """
    if not wish.keyword:
        raise ItemRefused("Write a keyword, such as OBJECT or COMMENT.")
    rules = rules_of(call.context.settings.edits)
    change = CardChange(wish.keyword, _value_of(wish), wish.comment.strip() or None)
    request = checked(EditRequest(target=Target(name), extension=wish.hdu, cards=(change,)), rules)
    keyword = request.cards[0].keyword
    if keyword in APPENDED:
        return replace(request, cards=(replace(request.cards[0], comment=None),))
    if not record.open_headers:
        # How a card was before may not be learned by asking.
        return request
    async with call.context.database.begin() as connection:
        version = await query.version_of(connection, record, wish.version)
    header = await asyncio.to_thread(_header, version, wish.hdu)
    (state,) = states_of(header, [keyword])
    if not wish.new:
        # An empty field takes the comment away; one that was left as it is leaves it.
        return replace(
            request, cards=(replace(request.cards[0], comment=wish.comment.strip()),), if_cards=(state,)
        )
    if state.there:
        raise ItemRefused(f"There is a card {keyword} already; edit that one.")
    return replace(request, if_cards=(CardState(keyword, there=False),))


def _header(version: Version, hdu: int) -> Header:
    headers = version.headers()
    if hdu >= len(headers):
        raise ItemRefused(f"The file has no HDU {hdu}.")
    return Header(headers[hdu])


def _value_of(wish: Wish) -> Value:
    text = wish.value.strip()
    match wish.kind:
        case "undefined":
            return None
        case "logical" if text.upper() in ("T", "F", "TRUE", "FALSE"):
            return text.upper().startswith("T")
        case "logical":
            raise ItemRefused("A logical value is T or F.")
        case "number":
            return _number_of(text)
        case "complex":
            return text
    return wish.value if wish.keyword.upper() in APPENDED else keep_text(wish.value)


def _number_of(text: str) -> Value:
    reading = read_field(text)
    if reading.comment or isinstance(reading.value, bool) or not isinstance(reading.value, int | float):
        raise ItemRefused(f"'{text[:60]}' is no number as FITS writes them, such as 42, -1.5 or 3.0E8.")
    return reading.value


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of an order: ``changed`` is None while it waits, or if it failed."""

    order: int
    changed: bool | None = None
    error: ArmillaryError | None = None

    @property
    def waits(self) -> bool:
        """Whether nobody has carried it out yet."""
        return self.changed is None and self.error is None


async def send(call: Call, request: EditRequest, wish: Wish) -> Sent:
    """Ask for an edit, and wait a moment for its end.

    Raises
    ------
    ArmillaryError
        Why it is refused.
    """
    said = "\n".join(
        map(str, (request.target.id, wish.card, wish.keyword, wish.value, wish.kind, wish.comment, wish.why))
    )
    key = (
        Key(wish.key[:200], hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest())
        if wish.key
        else None
    )
    origin = Origin(call.principal.name, call.address, wish.why)
    accepted, request_id = await submit_edit(call.context, request, origin, key=key, viewer=call.principal)
    await wait_for(call.context.database, call.context.signals, [accepted.order_id], PATIENCE_S)
    (status,) = (await status_of(call.context, request_id, viewer=call.principal)).edits
    error = error_of(status.code, status.error) if status.error else None
    return Sent(accepted.order_id, status.changed, error)


async def take_back(call: Call, record: Record, edit_id: int, why: str) -> Sent:
    """Ask for an edit of a file to be taken back, and wait a moment for its end.

    Raises
    ------
    ArmillaryError
        Why it is refused.
    """
    context = call.context
    async with context.database.begin() as connection:
        file_id, _ = await edits.file_of_edit(connection, edit_id, call.principal, call.today)
    if file_id != record.version.file_id:
        raise EditNotFound(f"Edit {edit_id} is one of another file.")
    order = await edits.submit_revert(
        context, file_id, edit_id, Origin(call.principal.name, call.address, why)
    )
    ended = (await wait_for(context.database, context.signals, [order], PATIENCE_S)).get(order)
    if ended is None:
        return Sent(order)
    if ended.response.ok:
        return Sent(order, changed=True)
    known = Discretion(call.principal, call.today)
    async with context.database.begin() as connection:
        await known.look_at(connection, [file_id])
        found = (await find_orders(connection, [order])).get(order)
    code = known.code(found.error_code if found else None, file_id)
    return Sent(order, error=error_of(code, known.error(ended.response.error, file_id)))


def form_values(wish: Wish, card: ShownCard | None, *, inline: bool) -> Mapping[str, Any]:
    """Return what the template of the form needs."""
    kinds = dict(KINDS)
    if wish.kind == "complex" or (card and card.kind == "complex"):
        kinds["complex"] = "Complex"
    return {"wish": wish, "card": card, "kinds": kinds, "inline": inline, "key": str(uuid4())}


def cards_of_hdu(version: Version, hdu: int, protected: frozenset[str]) -> Cards:
    """Return the cards of an HDU.

    Raises
    ------
    ItemRefused
        If there is no such HDU.
    """
    headers = version.headers()
    if hdu >= len(headers):
        raise ItemRefused(f"The file has no HDU {hdu}.")
    return Cards(hdu, headers[hdu], protected)
