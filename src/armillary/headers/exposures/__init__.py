"""Exposures: rows that live from the first event that names an image to the last revision of its header."""
