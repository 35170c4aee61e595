"""One training step: its types, its two halves, its compiled programs, and their parts."""
