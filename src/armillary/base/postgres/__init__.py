"""The embedded PostgreSQL: one server per directory, shared by processes, gone when the last one goes."""
