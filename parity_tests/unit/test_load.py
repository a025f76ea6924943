"""--load: which file is meant, and that it is checked before the data."""

import io
import pickle
import zipfile
from dataclasses import replace

import pytest

from common.errors import CheckpointError
from common.recipe import PRESETS
from common.run.cli import parse
from common.run.load import find_checkpoint
from parity_tests.unit.recording import save

RECIPE = PRESETS["smoke"]


@pytest.fixture
def run_folder(tmp_path):
    """The folder of a run that has a checkpoint."""
    folder = tmp_path / "run"
    folder.mkdir()
    save(folder / "checkpoint.safetensors", 1, RECIPE)
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


def test_only_the_process_that_leads_needs_the_file():
    argv = ("--preset", "smoke", "--load=no/such")
    modes = "eager", "eager"
    _, run = parse(argv, "prog", lambda: False, *modes, leads=False)
    assert run.load == "no/such"


def zip_of(name):
    """A zip archive with one file of this name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, b"")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (
            "a.pt",
            zip_of("a/data.pkl"),
            "a PyTorch file, as torch.save writes it",
        ),
        ("a.pt", pickle.dumps({"a": 1}), "a Python pickle"),
        ("a.npz", zip_of("a.npy"), "a NumPy archive"),
        ("a.keras", zip_of("model.weights.h5"), "a Keras model"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
        ("ckpt-1.index", b"", "a TensorFlow checkpoint"),
        ("0/_METADATA", b"", "an Orbax checkpoint"),
        ("0/_CHECKPOINT_METADATA", b"", "an Orbax checkpoint"),
        ("0/saved_model.pb", b"", "a TensorFlow SavedModel"),
        ("0/checkpoint", b"", "a folder of TensorFlow checkpoints"),
        ("0/notes", b"", "the folder holds no checkpoint.safetensors"),
    ],
)
def test_a_file_of_another_program_is_called_what_it_is(
    file, content, words, tmp_path
):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(content)
    place = tmp_path / file.partition("/")[0].removesuffix(".index")
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
