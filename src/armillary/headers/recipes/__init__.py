"""What a header is made of: configurations, templates, the catalogue of telemetry, and their lint."""
