"""The ladder on many machines, all of them on one: what rounds otherwise."""
