"""What checks found in the headers of versions: on record, listed, as far as somebody may know."""
