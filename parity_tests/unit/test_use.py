"""Use of a trained network: what is found, and what is said of it."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from common.cifar10.classes import CLASS_NAMES
from common.cifar10.load import Split
from common.errors import CheckpointError, RecordError, UsageError
from common.recipe import Run
from common.run import use
from common.run.use import (
    confusion,
    describe_picture,
    describe_test,
    find_trained,
    use_command,
)
from parity_tests.unit.recording import RECIPE, interrupted


@pytest.fixture
def run(tmp_path):
    """A run of synthetic data, of 2 of its 3 epochs."""
    out = tmp_path / "pytorch" / "run"
    return interrupted(out, 2, preset="smoke", dataset="synthetic")


def always(label: int):
    """A network that is certain of a class, whatever it is shown."""

    def answer(trained, split, device):
        found = np.zeros((len(split.images), 10))
        found[:, label] = 0.75
        found[:, 9] = 0.25
        return found

    return answer


def test_a_folder_and_a_file_are_found_with_what_is_known(run, tmp_path):
    found = find_trained(str(run))
    assert found == find_trained(str(run / "checkpoint.safetensors"))
    assert (found.recipe, found.framework, found.epochs) == (
        *(RECIPE, "pytorch", 2),
    )
    assert found.record.about.seed == 0
    alone = tmp_path / "alone.safetensors"
    shutil.copy(run / "checkpoint.safetensors", alone)
    assert find_trained(str(alone)).record is None


def test_what_is_no_trained_network_is_one_line(run, tmp_path):
    (tmp_path / "text").write_text("x")
    for place in ("nowhere", tmp_path, tmp_path / "text"):
        with pytest.raises(CheckpointError) as found:
            find_trained(str(place))
        assert "\n" not in str(found.value)
        assert "--load" not in str(found.value)
    (run / "run.json").write_text("{")
    with pytest.raises(RecordError):
        find_trained(str(run))
    file = run / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointError):
        find_trained(str(file))


def test_the_test_set_is_told_by_class(run, capsys, monkeypatch):
    monkeypatch.setattr(use, "columns", lambda stream: 80)
    assert use_command([str(run)], "jax_flax", always(3)) == 0
    out = capsys.readouterr().out
    assert "PyTorch's smoke, epochs 3, seed 0, 2 epochs; read by JAX" in out
    assert "not trained to its end: epoch 3" in out
    assert "of 1,024 images), recorded: 256" in out
    last = [line.split() for line in out.splitlines()[-10:]]
    rows = {name: cells for name, *cells in last}
    assert list(rows) == list(CLASS_NAMES)
    assert rows["cat"][0] == "100.0%"
    assert rows["dog"][0] == "0.0%"
    assert all(len(line) <= 80 for line in out.splitlines()[-12:])


def test_a_file_alone_is_evaluated_on_cifar10(tmp_path, capsys, monkeypatch):
    run = interrupted(tmp_path / "run", 1, preset="smoke")
    (run / "run.json").unlink()
    (run / "metrics.jsonl").unlink()
    asked = []

    def load_data(recipe, run, say):
        asked.append(run)
        few = Split(np.zeros((2, 32, 32, 3), np.uint8), np.array([3, 4]))
        return SimpleNamespace(test=few)

    monkeypatch.setattr(use, "load_data", load_data)
    flags = ["--data-dir", "here", "--offline"]
    assert use_command([str(run), *flags], "pytorch", always(3)) == 0
    assert asked == [Run(dataset="cifar10", data_dir="here", offline=True)]
    out = capsys.readouterr().out
    assert "PyTorch's, 1 epoch; read by PyTorch" in out
    assert "test accuracy 50.00% (1 of 2 images)" in out


def test_pictures_are_told_in_their_order(run, capsys, tmp_path):
    from PIL import Image

    paths = [tmp_path / name for name in ("b.png", "a.png")]
    for path in paths:
        Image.new("RGB", (50, 40)).save(path)
    words = [str(run), *map(str, paths)]
    assert use_command(words, "pytorch", always(0)) == 0
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert [line.partition(": ")[0] for line in lines] == list(map(str, paths))
    assert lines[0].endswith(": airplane 75.0%, truck 25.0%, automobile 0.0%")
    assert use_command([*words, "none.png"], "pytorch", always(0)) == 65
    assert capsys.readouterr().err.startswith("error: none.png: ")


def test_a_device_that_there_is_not_is_an_error_of_usage(run, capsys):
    with pytest.raises(SystemExit) as stop:
        use_command([str(run), "--device", "tpu"], "pytorch", always(0))
    assert stop.value.code == UsageError.exit_code
    assert "argument --device: invalid choice: 'tpu'" in capsys.readouterr().err


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_a_traceback_is_shown_to_who_asks_for_it(debug, capsys):
    code = use_command([*debug, "nowhere"], "pytorch", always(0))
    assert code == CheckpointError.exit_code
    assert ("Traceback" in capsys.readouterr().err) == bool(debug)


def test_confusions_and_the_recorded_accuracy():
    labels = np.array([0, 0, 1, 2, 2, 2])
    predicted = np.array([0, 1, 1, 2, 2, 0])
    counts = confusion(predicted, labels)
    assert counts.sum() == 6
    assert counts[0].tolist()[:2] == [1, 1]
    assert counts[2].tolist()[:3] == [1, 0, 2]
    trained = use.Trained(None, RECIPE, "pytorch", 3, None)
    line, *table = describe_test(trained, predicted, labels)
    assert line == "test accuracy 66.67% (4 of 6 images)"
    assert "no image" in table[-1]
    assert describe_picture(np.arange(10) / 45).startswith("truck 20.0%")
