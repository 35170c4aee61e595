"""What a config means: what is built from it, and everything that is checked first."""
