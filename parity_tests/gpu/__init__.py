"""The GPU path, proven where there is no GPU: one module per framework."""
