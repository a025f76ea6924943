"""What runs in a framework's own environment to make its trace."""
