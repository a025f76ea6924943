"""The fourth implementation: plain NumPy in float64, derived by hand."""
