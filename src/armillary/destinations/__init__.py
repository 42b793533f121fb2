"""Servers of others that the archive sends to: which there are, and which of them are left alone for a while."""
