"""Commands of a machine that a sandbox has no room for: they do what an administrator sees of the real ones."""
