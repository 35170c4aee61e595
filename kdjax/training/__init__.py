"""A whole run: its stages, the loop of one stage, input, devices, validation, selection."""
