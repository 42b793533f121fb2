"""Frames that a search finds as tables: CSV and VOTable, page after page."""
