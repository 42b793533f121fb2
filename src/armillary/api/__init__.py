"""HTTP dialects: each translates between its wire form and the services, and knows no SQL."""
