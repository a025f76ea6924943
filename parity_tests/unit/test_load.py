"""--load: which file is meant, and that it is checked before the data."""

import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from common import checkpoint
from common.errors import CheckpointError
from common.recipe import PRESETS
from common.run.cli import parse
from common.run.load import find_checkpoint

RECIPE = PRESETS["smoke"]


@pytest.fixture
def run_folder(tmp_path):
    """The folder of a run that has a checkpoint."""
    folder = tmp_path / "run"
    folder.mkdir()
    arrays = checkpoint.shared_start(RECIPE, 0)
    file = folder / "checkpoint.safetensors"
    checkpoint.write(file, arrays, 4, RECIPE, "pytorch")
    return folder


def parsed(place):
    argv = ("--preset", "smoke", f"--load={place}")
    return parse(argv, "prog", lambda: False, "eager", "eager")[1]


def test_a_file_and_the_folder_of_its_run_are_the_same(run_folder, monkeypatch):
    file = run_folder / "checkpoint.safetensors"
    assert find_checkpoint(str(file), RECIPE) == file
    assert find_checkpoint(str(run_folder), RECIPE) == file
    monkeypatch.setenv("HOME", str(run_folder.parent))
    assert parsed("~/run").load == str(file)


def test_what_does_not_fit_is_an_error_before_the_training_starts(run_folder):
    with pytest.raises(CheckpointError, match="add --width 4"):
        find_checkpoint(str(run_folder), replace(RECIPE, width=8))
    with pytest.raises(CheckpointError, match="no/such: there is no such file"):
        parsed("no/such")


def of_pytorch(folder):
    with zipfile.ZipFile(folder / "a.pt", "w") as archive:
        archive.writestr("a/data.pkl", b"")
    return "a.pt"


def of_old_pytorch(folder):
    (folder / "a.pt").write_bytes(pickle.dumps({"a": 1}))
    return "a.pt"


def of_numpy(folder):
    np.savez(folder / "a.npz", a=np.zeros(3))
    return "a.npz"


def of_keras(folder):
    with zipfile.ZipFile(folder / "a.keras", "w") as archive:
        archive.writestr("model.weights.h5", b"")
    return "a.keras"


def of_hdf5(folder):
    (folder / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    return "a.h5"


def of_tensorflow(folder):
    (folder / "ckpt-1.index").write_bytes(b"")
    return "ckpt-1"


def of_orbax(folder):
    (folder / "0").mkdir()
    (folder / "0" / "_METADATA").write_bytes(b"")
    return "0"


def of_nobody(folder):
    (folder / "empty").mkdir()
    return "empty"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (of_pytorch, "a PyTorch file, as torch.save writes it"),
        (of_old_pytorch, "a Python pickle"),
        (of_numpy, "a NumPy archive"),
        (of_keras, "a Keras model"),
        (of_hdf5, "an HDF5 file"),
        (of_tensorflow, "a TensorFlow checkpoint"),
        (of_orbax, "an Orbax checkpoint"),
        (of_nobody, "the folder holds no checkpoint.safetensors"),
    ],
)
def test_a_file_of_another_program_is_called_what_it_is(make, words, tmp_path):
    place = tmp_path / make(tmp_path)
    with pytest.raises(CheckpointError) as error:
        find_checkpoint(str(place), RECIPE)
    message = str(error.value)
    assert message.startswith(f"--load {place}: ")
    assert words in message
    assert "damaged" not in message
    assert message.endswith("of this project, or the run's folder")


def test_what_is_no_file_of_anybody_is_damaged(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"nothing of this kind")
    with pytest.raises(CheckpointError, match="damaged"):
        find_checkpoint(str(tmp_path / "a.safetensors"), RECIPE)
