"""Mutants: one thing broken at a time, which `nox -s parity` must kill."""
