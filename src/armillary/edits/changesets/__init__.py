"""Change sets: one edit of many files, which survives crashes and can be stopped and taken back as a whole."""
