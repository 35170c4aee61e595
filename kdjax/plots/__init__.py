"""Figures and report pages: data in, pictures out (matplotlib)."""
