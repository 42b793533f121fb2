"""Merging headers into the raw images that they belong to, as edits."""
