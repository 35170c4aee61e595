"""Helpers of figures: their style, their labels, and kinds of panel that several figures share."""
