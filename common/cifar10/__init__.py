"""CIFAR-10: where it comes from, how it is checked, where it is kept."""
