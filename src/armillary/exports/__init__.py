"""Copies of files on other servers, kept up to date by whole files or by header updates alone."""
