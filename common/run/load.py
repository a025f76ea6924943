"""What `--load` names: found, and checked before any data are fetched."""

import zipfile
from pathlib import Path

from common import checkpoint
from common.errors import CheckpointError
from common.files import user_path
from common.recipe import Recipe
from common.run.folder import CHECKPOINT

WANTED = (
    f"expected the {CHECKPOINT} of a run of this project, or the run's folder"
)
# How the files of other programs begin.
BEGINNINGS = {
    b"\x89HDF": "an HDF5 file, as Keras writes weights",
    b"\x93NUMPY": "a NumPy array (.npy)",
    b"\x80": "a Python pickle, as older PyTorch files are",
}
# And what lies in those that are zip archives.
IN_ZIP = {
    "data.pkl": "a PyTorch file, as torch.save writes it",
    ".npy": "a NumPy archive (.npz)",
    "model.weights.h5": "a Keras model (.keras)",
}
IN_FOLDER = {
    "saved_model.pb": "a TensorFlow SavedModel",
    "checkpoint": "a folder of TensorFlow checkpoints",
    "_CHECKPOINT_METADATA": "an Orbax checkpoint",
    "_METADATA": "an Orbax checkpoint",
}


def find_checkpoint(place: str, recipe: Recipe) -> Path:
    """The checkpoint file that `--load` names: itself, or in a run's folder.

    Raises CheckpointError if there is none, if it is of another program, or
    does not fit the recipe.
    """
    path = locate(place, "--load ")
    checkpoint.read(path, recipe)
    return path


def locate(place: str, flag: str = "") -> Path:
    """The checkpoint file that `place` names: itself, or in a run's folder.

    flag: what stands before the place in an error. Raises CheckpointError if
    there is none, or if it is of another program.
    """
    path = user_path(place)
    if path.is_dir():
        path = path / CHECKPOINT
    if not path.exists():
        raise CheckpointError(f"{flag}{place}: {_missing(path)}; {WANTED}")
    if kind := _foreign(path):
        raise CheckpointError(f"{flag}{place}: it is {kind}; {WANTED}")
    return path


def _missing(path: Path) -> str:
    """What is there in place of a checkpoint that is not."""
    if path.name != CHECKPOINT or not path.parent.is_dir():
        if path.with_name(path.name + ".index").exists():
            return "it is a TensorFlow checkpoint, of .index and .data files"
        return "there is no such file"
    for name, kind in IN_FOLDER.items():
        if (path.parent / name).exists():
            return f"it is {kind}"
    return f"the folder holds no {CHECKPOINT}"


def _foreign(path: Path) -> str:
    """What a file of another program is; "" if it may be a checkpoint.

    A file that cannot be read is left to the reader of checkpoints.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
        if start.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
            for end, kind in IN_ZIP.items():
                if any(name.endswith(end) for name in names):
                    return kind
            return "a zip archive"
    except (OSError, zipfile.BadZipFile):
        return ""
    # Eight bytes of length come first, then JSON.
    if start[8:] == b"{":
        return ""
    found = (k for begin, k in BEGINNINGS.items() if start.startswith(begin))
    return next(found, "")
