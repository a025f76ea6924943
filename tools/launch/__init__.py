"""The processes of one training on one machine, started by native commands.

A convenience, not a launcher: `commands.py` writes what docs/scale.md tells a
person to type, `__main__.py` runs that. No training needs it.
"""
