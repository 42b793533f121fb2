"""Frames by the nights that they belong to: how many there are, when they were exposed, which lie beside one."""
