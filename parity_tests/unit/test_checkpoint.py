"""The checkpoint format: what is written is read, what is bad is refused."""

import errno
import json
import os
from dataclasses import asdict, replace

import numpy as np
import pytest
import safetensors.numpy

from common import checkpoint
from common.checkpoint import VELOCITY, array_shapes, read, shared_start, write
from common.errors import CheckpointError, DiskError
from common.recipe import PRESETS

RECIPE = PRESETS["smoke"]


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    write(path, shared_start(RECIPE, 3), 12, RECIPE, "pytorch")
    return path


def changed(path, change):
    """Rewrite a checkpoint with `change` made to its arrays."""
    arrays = shared_start(RECIPE, 3)
    change(arrays)
    write(path, arrays, 12, RECIPE, "pytorch")


def test_what_was_written_is_read(good):
    found = read(good, RECIPE)
    wanted = shared_start(RECIPE, 3)
    assert found.arrays.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found.arrays[name].dtype == array.dtype
        assert np.array_equal(found.arrays[name], array)
    assert found.step == 12
    assert found.recipe == json.loads(json.dumps(asdict(RECIPE)))
    assert found.framework == "pytorch"


def test_names_are_those_of_the_table_with_a_velocity_for_the_trained():
    names = list(array_shapes(RECIPE))
    assert len(names) == 25 + 16 + 25
    assert "layer3.res2.bn.var" in names
    assert VELOCITY + "layer3.res2.bn.var" not in names
    assert VELOCITY + "linear.kernel" in names


def test_a_turned_array_is_written_as_it_reads(tmp_path):
    path = tmp_path / "c.safetensors"
    arrays = shared_start(RECIPE, 3)
    turned = np.asfortranarray(arrays["prep.conv.kernel"])
    write(path, arrays | {"prep.conv.kernel": turned}, 0, RECIPE, "x")
    assert np.array_equal(read(path, RECIPE).arrays["prep.conv.kernel"], turned)


def test_another_width_is_told_with_the_flag_to_add(good):
    with pytest.raises(CheckpointError, match="add --width 4"):
        read(good, replace(RECIPE, width=8))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read"):
        read(tmp_path / "none.safetensors", RECIPE)


@pytest.mark.parametrize("keep", [0, 4, 100, 5_000])
def test_a_truncated_file_is_told(good, keep):
    good.write_bytes(good.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="damaged"):
        read(good, RECIPE)


def test_a_file_of_other_software_is_told(tmp_path):
    path = tmp_path / "c.safetensors"
    safetensors.numpy.save_file({"w": np.zeros(3, np.float32)}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of this"):
        read(path, RECIPE)


def test_a_missing_array_is_named(good):
    changed(good, lambda a: a.pop("layer1.res1.bn.mean"))
    with pytest.raises(CheckpointError, match=r"layer1\.res1\.bn\.mean is mis"):
        read(good, RECIPE)


def test_a_strange_array_is_named(good):
    changed(good, lambda a: a.update(extra=np.zeros(1, np.float32)))
    with pytest.raises(CheckpointError, match="extra is not of this network"):
        read(good, RECIPE)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_told(good, number):
    changed(good, lambda a: a["linear.kernel"].__setitem__((0, 0), number))
    with pytest.raises(CheckpointError, match=r"linear\.kernel has NaN"):
        read(good, RECIPE)


def test_integers_are_no_weights(good):
    changed(
        good,
        lambda a: a.update({"prep.bn.bias": np.zeros(4, np.int32)}),
    )
    with pytest.raises(CheckpointError, match="int32"):
        read(good, RECIPE)


def test_a_full_disk_leaves_the_last_checkpoint(good, monkeypatch):
    before = good.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="the disk is full"):
        write(good, shared_start(RECIPE, 4), 16, RECIPE, "pytorch")
    assert good.read_bytes() == before
    assert [p.name for p in good.parent.iterdir()] == [good.name]


def test_a_format_of_another_time_is_told(good, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", "davidnet-checkpoint-2")
    with pytest.raises(CheckpointError, match="davidnet-checkpoint-2"):
        read(good, RECIPE)
