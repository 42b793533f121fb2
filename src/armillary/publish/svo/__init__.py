"""Records of frames in the SOLARNET Virtual Observatory."""
