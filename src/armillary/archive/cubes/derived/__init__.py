"""What is derived of the extensions of a cube: seeing, line profile, coverage of the disk."""
