"""Vocabularies: the words in which cubes are tagged, where they are read, and the copies that are kept."""
