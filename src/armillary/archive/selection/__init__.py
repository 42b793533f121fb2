"""The selection grammar of Gemini's lists: one parser, a typed result, conditions for the database."""

from armillary.archive.selection.errors import BadSelection, MalformedSelector, UnknownSelector
from armillary.archive.selection.models import Selection
from armillary.archive.selection.parser import parse

__all__ = ["BadSelection", "MalformedSelector", "Selection", "UnknownSelector", "parse"]
