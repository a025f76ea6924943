"""The names of the ten classes; a label is a place in this list."""

# As the official `batches.meta` spells them.
CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
