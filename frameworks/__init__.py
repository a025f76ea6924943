"""The same training, written natively three times."""
