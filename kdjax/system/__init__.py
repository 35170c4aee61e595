"""Flags and errors, config files, the console, discovery by name, the backend and process."""
