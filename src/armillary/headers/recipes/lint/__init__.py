"""What can be wrong with a configuration that can be read: stable codes, with file and line."""
