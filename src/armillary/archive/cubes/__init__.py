"""Cubes of the Sun by the SOLARNET conventions: how they are called, grouped and tagged, and what is derived."""
