"""What compares traces. Needs NumPy, and no framework."""
