"""From telescope telemetry to a living FITS archive, in one program."""

__version__ = "0.1.0"
