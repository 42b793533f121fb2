"""What other nouns and the dialects may ask of queries: terms, pages, lists, and what somebody may see."""

from armillary.archive.query.comparisons import parse_predicate
from armillary.archive.query.cones import Cone
from armillary.archive.query.criteria import read_selection, terms_of
from armillary.archive.query.grammar import parse
from armillary.archive.query.grammar.completion import OFFERED, Values, completions, recent_values
from armillary.archive.query.grammar.identifiers import kind_of_id, read_name
from armillary.archive.query.grammar.places import cone_of_object, read_extent, read_place
from armillary.archive.query.icalendar import MEDIA_TYPE as ICALENDAR
from armillary.archive.query.icalendar import as_icalendar
from armillary.archive.query.intervals import as_utc
from armillary.archive.query.listing import Column, Lister, Listing
from armillary.archive.query.members import Members, members_named, members_of, page_of, refuse_unclear
from armillary.archive.query.nights.counts import MOST_NIGHTS, NightCount, Part, count_nights, counted_total
from armillary.archive.query.nights.exposures import Exposed, exposures, night_beside
from armillary.archive.query.nights.neighbours import Neighbour, Neighbours, neighbours_of
from armillary.archive.query.offering import Offered, offered, offered_files
from armillary.archive.query.records import (
    Record,
    check_headers,
    hdu_index,
    record_of,
    version_of,
    versions_before,
)
from armillary.archive.query.releases import MOST_RELEASES, Release, Releases, list_releases
from armillary.archive.query.rows import FoundFrame, KnownFrame
from armillary.archive.query.search import FILE_COLUMNS, Page, plain_values, search
from armillary.archive.query.stored import terms_of_json, terms_to_json
from armillary.archive.query.totals import Asked, Total, TotalIs, quick_total, total_of
from armillary.archive.query.visibility import (
    Reason,
    any_hidden,
    coordinates_visible,
    hidden_among,
    hides_files,
    is_known,
    known,
    known_files,
    sees_everything,
    shows_coordinates,
    unknown_among,
    unknown_to,
    visible,
)

__all__ = [
    "FILE_COLUMNS",
    "ICALENDAR",
    "MOST_NIGHTS",
    "MOST_RELEASES",
    "OFFERED",
    "Asked",
    "Column",
    "Cone",
    "Exposed",
    "FoundFrame",
    "KnownFrame",
    "Lister",
    "Listing",
    "Members",
    "Neighbour",
    "Neighbours",
    "NightCount",
    "Offered",
    "Page",
    "Part",
    "Reason",
    "Record",
    "Release",
    "Releases",
    "Total",
    "TotalIs",
    "Values",
    "any_hidden",
    "as_icalendar",
    "as_utc",
    "check_headers",
    "completions",
    "cone_of_object",
    "coordinates_visible",
    "count_nights",
    "counted_total",
    "exposures",
    "hdu_index",
    "hidden_among",
    "hides_files",
    "is_known",
    "kind_of_id",
    "known",
    "known_files",
    "list_releases",
    "members_named",
    "members_of",
    "neighbours_of",
    "night_beside",
    "offered",
    "offered_files",
    "page_of",
    "parse",
    "parse_predicate",
    "plain_values",
    "quick_total",
    "read_extent",
    "read_name",
    "read_place",
    "read_selection",
    "recent_values",
    "record_of",
    "refuse_unclear",
    "search",
    "sees_everything",
    "shows_coordinates",
    "terms_of",
    "terms_of_json",
    "terms_to_json",
    "total_of",
    "unknown_among",
    "unknown_to",
    "version_of",
    "versions_before",
    "visible",
]
