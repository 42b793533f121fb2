"""The object store: where the bytes of versions live, and how edits reach them safely."""

from armillary.base.store.local import LocalStore
from armillary.base.store.models import ObjectStore, Patch, Snapshot, StoredObject, same_file
from armillary.base.store.probing import whole_or_part

__all__ = ["LocalStore", "ObjectStore", "Patch", "Snapshot", "StoredObject", "same_file", "whole_or_part"]
