"""Resolved documents as bytes: what an exposure is bound to, and what a revision is the hash of."""

from __future__ import annotations

import hashlib
from typing import TypeVar

from msgspec import json, structs

from armillary.headers.recipes.models import Recipe, Template

Document = TypeVar("Document", Recipe, Template)


def dump(document: Recipe | Template) -> bytes:
    """Return the canonical JSON of a resolved document: equal ones have equal bytes."""
    return json.encode(document, order="sorted")


def read_recipe(content: bytes) -> Recipe:
    """Return the recipe that `dump` wrote."""
    return json.decode(content, type=Recipe)


def read_template(content: bytes) -> Template:
    """Return the template that `dump` wrote."""
    return json.decode(content, type=Template)


def revised(document: Document) -> Document:
    """Return a document with its revision, the SHA-256 of the canonical JSON of everything else."""
    plain = structs.replace(document, rev="")
    return structs.replace(plain, rev=hashlib.sha256(dump(plain)).hexdigest())
