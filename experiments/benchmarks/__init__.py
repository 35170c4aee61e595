"""Measurements of time, each recorded with its command."""
