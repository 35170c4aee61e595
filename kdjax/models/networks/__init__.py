"""Adapters that turn Flax modules, or several networks, into a `Network` of pure functions."""
