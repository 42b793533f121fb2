"""Child processes for work on the bytes of strangers: bounded memory, bounded time, ended at once.

The face is `pool`. Nothing is imported here, since every child would load it.
"""
