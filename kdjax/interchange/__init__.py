"""Networks that come from files of other programs, and networks that go out into files."""
