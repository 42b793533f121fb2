"""Which files a change set means, and whether what it asks for could be done to any of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from armillary.access.models import OPERATOR, Principal
from armillary.archive.query import service as query
from armillary.archive.query.models import Compared, Term
from armillary.archive.query.service import parse, parse_predicate
from armillary.base.text import storable
from armillary.context import Context
from armillary.edits.acceptance import rules_of
from armillary.edits.changesets.errors import BadChangeSet
from armillary.edits.changesets.models import (
    Wanted,
)
from armillary.edits.models import EditRequest

MOST_NAMES = 100_000


@dataclass(frozen=True, slots=True)
class Checked:
    """A change set that can be carried out: its files as a query, and what to do to each."""

    members: query.Members
    request: EditRequest


def check(context: Context, wanted: Wanted, viewer: Principal = OPERATOR) -> Checked:
    """Judge a change set as far as that is possible without its files.

    What it says of positions means only files whose headers the viewer may read, as in a search.

    Raises
    ------
    BadSelection, BadPredicate, BadChangeSet
        If it is not clear which files it means.
    ItemRefused
        If what it asks for would be refused of any file.
    """
    request = wanted.request(rules_of(context.settings.edits))
    if not any(request.by_extension()):
        raise BadChangeSet("The change set changes nothing; say which cards to set.")
    return Checked(_members(context, wanted, viewer), request)


def _members(context: Context, wanted: Wanted, viewer: Principal) -> query.Members:
    if wanted.names:
        names = _names(wanted, also=bool(wanted.segments or wanted.keywords))
        return query.members_named(names, today=context.clock.now().date(), viewer=viewer)
    if not wanted.segments and not wanted.keywords and not wanted.terms:
        raise BadChangeSet("The change set means no files: give a selection (`present` for all) or names.")
    today = context.clock.now().date()
    return query.members_of(terms_of(context, wanted, today), today=today, viewer=viewer)


def terms_of(context: Context, wanted: Wanted, today: date) -> tuple[Term, ...]:
    if wanted.terms is not None:
        return wanted.terms
    selection = parse(wanted.segments, today=today, summit=context.settings.archive.summit)
    return (*selection.terms, *_predicates(wanted))


def _names(wanted: Wanted, *, also: bool) -> list[str]:
    if also:
        raise BadChangeSet("Give names or a selection, not both.")
    if len(wanted.names) > MOST_NAMES or not all(map(storable, wanted.names)):
        raise BadChangeSet(f"Names are text, and at most {MOST_NAMES}; use a selection for more.")
    return list(wanted.names)


def _predicates(wanted: Wanted) -> list[Compared]:
    if not all(map(storable, wanted.keywords)):
        raise BadChangeSet("A keyword condition holds characters that no header has.")
    return [parse_predicate(text) for text in wanted.keywords]


async def refuse_absent(
    connection: AsyncConnection, wanted: Wanted, *, today: date, viewer: Principal = OPERATOR
) -> None:
    """Refuse a change set that names files which are not there for the viewer, or of which there are several.

    Raises
    ------
    BadChangeSet
        Naming the first of those that are absent.
    FileAmbiguous
        If a name means several files.
    """
    if not wanted.names:
        return
    if absent := await query.refuse_unclear(connection, wanted.names, today=today, viewer=viewer):
        raise BadChangeSet(f"{len(absent)} names are not in the archive: {', '.join(absent[:10])}")
