"""What compares traces. Needs no framework."""
