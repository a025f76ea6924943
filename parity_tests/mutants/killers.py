"""What killed a mutant, in two words, and what is no verdict at all."""

import re
import signal

# Sent from outside, or by the system when memory runs out. Other signals, as
# that of a broken pointer, are what the mutant itself has done.
FROM_OUTSIDE = (
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT),
    *(signal.SIGKILL, signal.SIGTERM),
)


class NoVerdict(Exception):
    """A mutant was neither killed nor let pass: something else ended it."""


class TimeLimit(NoVerdict):
    """A mutant takes too long: nothing that a test would see."""


def killer(killed_by: str) -> str:
    """The rung, or the kind of test; "" of a survivor."""
    found = re.match(r"rung ?(\d)", killed_by)
    return f"rung {found[1]}" if found else killed_by.partition(":")[0]
