"""Header services: one per instrument, which follow its events and build its headers."""
