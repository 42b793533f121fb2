"""Running an archive: how it stands, what it may forget, and a copy of it for the day that it is lost."""
