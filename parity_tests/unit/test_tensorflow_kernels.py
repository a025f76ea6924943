"""The table of TensorFlow's kernels for a GPU, and how it is looked up."""

from pathlib import Path

from parity_tests.gpu.tensorflow_kernels import compiles, find, merge, read

PINS = Path(__file__).parents[2] / "requirements" / "tensorflow-gpu.txt"


def test_the_table_is_of_the_pinned_release():
    """Else: python -m parity_tests.gpu.tensorflow_kernels, in its wheel."""
    lines = PINS.read_text().splitlines()
    assert f"tensorflow=={read()['version']}" in lines


def test_what_a_gpu_lacks_and_what_it_keeps_in_the_hosts_memory():
    """As the wheel's own registry says."""
    assert find("MirrorPad", {"T": "uint8", "Tpaddings": "int32"}) is None
    assert find("GatherV2", {"Tparams": "uint8", "Tindices": "int64"}) is None
    _, host = find("MirrorPad", {"T": "float32", "Tpaddings": "int32"})
    assert host == {"paddings"}
    _, host = find("StatelessRandomGetKeyCounter", {"Tseed": "int64"})
    assert host == {"seed", "key", "counter"}
    assert find("Conv2D", {"T": "bfloat16"}) is not None
    assert compiles("MirrorPad")
    assert not compiles("DecodeJpeg")


def test_kernels_that_differ_in_a_type_become_one():
    one = ({"T": {"float32"}, "I": {"int32"}}, {"axis"})
    two = ({"T": {"float32"}, "I": {"int64"}}, {"axis"})
    other = ({"T": {"int32"}, "I": {"int64"}}, set())
    assert merge([one, two, other]) == [
        [{"I": ["int32", "int64"], "T": ["float32"]}, ["axis"]],
        [{"I": ["int64"], "T": ["int32"]}, []],
    ]
