"""The checkpoint format: what is written is read, what is bad is refused."""

import errno
import json
import os
import random
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
import safetensors.numpy

from common import checkpoint
from common.checkpoint import (
    VELOCITY,
    array_shapes,
    read,
    read_step,
    shared_start,
    write,
)
from common.errors import CheckpointError, DiskError
from common.init import match_table, parameter_table
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


def test_a_shared_start_has_a_velocity_of_zero():
    for name, array in shared_start(RECIPE, 3).items():
        if name.startswith(VELOCITY):
            assert array.dtype == np.float32
            assert not array.any()


def test_what_was_written_is_read(good):
    found = read(good, RECIPE)
    wanted = shared_start(RECIPE, 3)
    assert found.arrays.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found.arrays[name].dtype == array.dtype
        assert np.array_equal(found.arrays[name], array)
    assert found.step == 12
    assert found.recipe == RECIPE
    assert read_step(good) == 12
    assert found.framework == "pytorch"


def test_names_are_those_of_the_table_with_a_velocity_for_the_trained():
    names = list(array_shapes(RECIPE))
    assert len(names) == 25 + 16 + 25
    assert "layer3.res2.bn.var" in names
    assert VELOCITY + "layer3.res2.bn.var" not in names
    assert VELOCITY + "linear.kernel" in names


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_without_momentum_a_velocity_is_0_whatever_is_kept_there(
    tmp_path, momentum
):
    recipe = replace(RECIPE, momentum=momentum)
    arrays = {n: np.ones_like(a) for n, a in shared_start(recipe, 3).items()}
    path = tmp_path / "checkpoint.safetensors"
    write(path, arrays, 12, recipe, "jax_flax")
    for name, array in read(path, recipe).arrays.items():
        velocity = name.startswith(VELOCITY)
        assert (array == (momentum > 0 if velocity else 1)).all()


def test_a_transposed_array_is_written_as_it_reads(good):
    name = "prep.conv.kernel"
    transposed = np.asfortranarray(shared_start(RECIPE, 3)[name])
    changed(good, lambda arrays: arrays.update({name: transposed}))
    assert np.array_equal(read(good, RECIPE).arrays[name], transposed)


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


def test_a_file_of_other_software_is_told(good):
    safetensors.numpy.save_file({"w": np.zeros(3, np.float32)}, good)
    with pytest.raises(CheckpointError, match="not a checkpoint of this"):
        read(good, RECIPE)


def put(name, place, number):
    """A change of one number in an array."""
    return lambda arrays: arrays[name].__setitem__(place, number)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("layer1.res1.bn.mean"), "layer1.res1.bn.mean is mis"),
        (lambda a: a.update(extra=np.ones(1)), "extra is not of this network"),
        (put("linear.kernel", (0, 0), np.nan), "linear.kernel has NaN"),
        (put("linear.kernel", (0, 0), np.inf), "linear.kernel has NaN"),
        (put("prep.bn.var", 1, -5), "prep.bn.var has a variance"),
        (
            lambda a: a.update({"prep.bn.bias": np.zeros(4, np.int32)}),
            "I32, expected float32 or float64",
        ),
    ],
)
def test_an_array_that_cannot_be_is_named(good, change, words):
    changed(good, change)
    with pytest.raises(CheckpointError, match=re.escape(words)):
        read(good, RECIPE)


def test_a_mean_may_be_below_0(good):
    changed(good, put("prep.bn.mean", 1, -5))
    read(good, RECIPE)


def test_a_variance_may_be_0(good):
    """That of a channel that is the same everywhere."""
    changed(good, put("prep.bn.var", 1, 0))
    read(good, RECIPE)


@pytest.mark.parametrize("step", [1, 12, 123, 1234, 12345])
def test_the_arrays_start_at_a_multiple_of_8_bytes(tmp_path, step):
    """As the format asks for, whatever the length of the header."""
    path = tmp_path / "checkpoint.safetensors"
    write(path, shared_start(RECIPE, 3), step, RECIPE, "pytorch")
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0


def test_a_full_disk_leaves_the_last_checkpoint(good, monkeypatch):
    before = good.read_bytes()
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(os, "fsync", Mock(side_effect=full))
    with pytest.raises(DiskError, match="the disk is full"):
        write(good, shared_start(RECIPE, 4), 16, RECIPE, "pytorch")
    assert good.read_bytes() == before
    assert [p.name for p in good.parent.iterdir()] == [good.name]


def test_a_format_of_another_time_is_told(good, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", "davidnet-checkpoint-3")
    with pytest.raises(CheckpointError, match="davidnet-checkpoint-3"):
        read(good, RECIPE)


def test_the_same_state_gives_the_same_bytes(good, tmp_path):
    """In any process, whatever its hashes, and in any order of the arrays."""
    code = (
        "import sys; from pathlib import Path;"
        "from common.checkpoint import shared_start, write;"
        "from common.recipe import PRESETS;"
        "recipe = PRESETS['smoke'];"
        "arrays = dict(reversed(shared_start(recipe, 3).items()));"
        "write(Path(sys.argv[1]), arrays, 12, recipe, 'pytorch')"
    )
    for number in range(3):
        other = tmp_path / f"{number}.safetensors"
        subprocess.run([sys.executable, "-c", code, other], check=True)
        assert other.read_bytes() == good.read_bytes()


def test_every_flipped_bit_is_noticed(good):
    whole = good.read_bytes()
    rng = random.Random(0)
    places = [*range(300), *rng.sample(range(300, len(whole)), 300)]
    for place in places:
        bad = bytearray(whole)
        bad[place] ^= 1 << rng.randrange(8)
        good.write_bytes(bad)
        with pytest.raises(CheckpointError):
            read(good, RECIPE)
    good.write_bytes(whole)
    read(good, RECIPE)


def test_a_checkpoint_without_a_checksum_of_an_earlier_version_is_read(
    good, monkeypatch
):
    whole, metadata = with_metadata(good)
    del metadata["sha256"]
    metadata["format"] = checkpoint.FORMAT_1
    good.write_bytes(safetensors.numpy.save(whole, metadata))
    assert read(good, RECIPE).step == 12


def with_metadata(path):
    """What a file holds, as it is."""
    with safetensors.safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return arrays, dict(file.metadata())


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"step": "many"}, "Expected `int`"),
        ({"step": "-4"}, "`int` >= 0"),
        ({"step": "16"}, "its checksum is another"),
        ({"recipe": "[]"}, "Expected `object`"),
        ({"recipe": '{"width": 0}'}, "--width 0"),
        ({"recipe": "[" * 100_000}, "damaged"),
        ({"framework": "x\x1b[31m"}, "matching regex"),
        ({"sha256": "0"}, "matching regex"),
        ({"sha256": "0" * 64}, "its checksum is another"),
        ({"sha256": None}, "its checksum is another"),
        ({"step": None}, "missing required field `step`"),
        ({"recipe": None}, "missing required field `recipe`"),
        ({"format": None}, "not a checkpoint of this project"),
    ],
)
def test_metadata_that_are_damaged_are_told_in_one_line(good, changed, words):
    arrays, metadata = with_metadata(good)
    metadata = {k: v for k, v in (metadata | changed).items() if v is not None}
    good.write_bytes(safetensors.numpy.save(arrays, metadata))
    with pytest.raises(CheckpointError) as caught:
        read(good, RECIPE)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "ours",
    [
        replace(RECIPE, train_images=1024, epochs=4),
        replace(RECIPE, batch_size=256),
        replace(RECIPE, width=8, train_images=1024, peak_lr=0.1),
    ],
)
def test_another_schedule_is_refused_with_all_flags_that_lead_on(good, ours):
    """One error does not lead to the next: what is offered is enough."""
    with pytest.raises(CheckpointError, match="to go on by its recipe") as why:
        read(good, ours)
    words = shlex.split(str(why.value).partition(", add ")[2])
    fields = {
        flag.removeprefix("--").replace("-", "_"): float(value)
        for flag, value in zip(words[::2], words[1::2], strict=True)
    }
    assert read(good, replace(ours, **fields)).step == 12


def test_initial_weights_fit_every_schedule(good):
    write(good, shared_start(RECIPE, 3), 0, RECIPE, "pytorch")
    assert read(good, replace(RECIPE, train_images=1024)).step == 0


def test_shapes_are_checked_before_arrays_take_memory(good):
    """A header that promises much, in a file of a hole."""
    content = good.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    size = 2**40
    kernel = {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}
    header = {"__metadata__": header["__metadata__"], "linear.kernel": kernel}
    text = json.dumps(header).encode()
    with good.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + size)
    with pytest.raises(CheckpointError, match="is missing"):
        read(good, RECIPE)


# --- A model and the table ----------------------------------------------

NAMED = {row.name: object() for row in parameter_table(RECIPE)}


def test_a_model_of_the_table_is_matched_in_its_order():
    own = {f"own {name}": NAMED[name] for name in reversed(NAMED)}
    found = match_table(RECIPE, own, NAMED.__getitem__)
    assert list(found) == list(NAMED)
    assert found == NAMED


def test_a_tensor_that_the_table_does_not_name_is_told():
    own = NAMED | {"layer4.weight": object()}
    with pytest.raises(CheckpointError, match=r"layer4\.weight does not stand"):
        match_table(RECIPE, own, NAMED.__getitem__)


@pytest.mark.parametrize("error", [KeyError, AttributeError])
def test_a_name_without_a_tensor_is_told(error):
    def find(name):
        if name == "layer2.conv_bn.bn.var":
            raise error(name)
        return NAMED[name]

    with pytest.raises(CheckpointError, match=r"bn\.var stands in") as caught:
        match_table(RECIPE, {}, find)
    assert "no such tensor" in str(caught.value)
