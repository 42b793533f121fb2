"""The rules let loose on headers of the archive; what they find is put on record there."""
