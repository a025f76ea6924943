"""Proof that the three trainings are one: the ladder of comparisons."""
