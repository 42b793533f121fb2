"""The selection grammar of Gemini's lists: one parser, a typed result, conditions for the database."""

from armillary.archive.query.errors import BadSelection, MalformedSelector, UnknownSelector
from armillary.archive.query.grammar.parser import parse
from armillary.archive.query.models import Selection

__all__ = ["BadSelection", "MalformedSelector", "Selection", "UnknownSelector", "parse"]
