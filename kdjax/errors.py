"""The one exception that means: the user can mend this, no traceback needed."""


class UserError(Exception):
    """Bad input. The message is one line that says what is wrong, where, and what to do."""
