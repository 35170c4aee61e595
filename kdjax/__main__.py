"""`python -m kdjax COMMAND ...` is `kdjax COMMAND ...`."""

from kdjax import commands

if __name__ == "__main__":
    commands.main()
