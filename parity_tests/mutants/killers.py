"""What killed a mutant, in two words."""

import re


def killer(killed_by: str) -> str:
    """The rung, or the kind of test; "" of a survivor."""
    found = re.match(r"rung ?(\d)", killed_by)
    return f"rung {found[1]}" if found else killed_by.partition(":")[0]
