"""Networks from other frameworks come in, and networks go out to them."""
