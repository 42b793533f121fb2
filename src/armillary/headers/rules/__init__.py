"""Cross-checks of headers: rules over one header, and over many of them. Pure."""
