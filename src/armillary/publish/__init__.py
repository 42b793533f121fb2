"""What the archive publishes in catalogues of others."""
