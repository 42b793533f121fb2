"""Sites: configurations with their history, the night log, control rooms."""
