"""Headers of exposures, built from telemetry and configuration: complete, on time, every value traceable."""
