"""Rendering: from samples and configuration to values, cards and bytes; pure and deterministic."""
