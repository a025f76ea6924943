"""Damaged traces: each is refused with one line."""

import json
import random
import zipfile

import numpy as np
import pytest

from parity_tests.harness import tracefile
from parity_tests.harness.tracefile import TraceError, read, write
from parity_tests.unit.test_compare import facts

FACTS = facts("pytorch")
ARRAYS = {"0/float32/a": np.arange(3.0), "1/float32/b": np.ones((2, 2))}


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "pytorch.npz"
    write(path, FACTS, ARRAYS)
    return path


def refused(path, words=""):
    with pytest.raises(TraceError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()
    assert words in str(caught.value)


def test_what_was_written_is_read(good):
    trace = read(good)
    assert trace.facts | FACTS == trace.facts
    assert trace.arrays.keys() == ARRAYS.keys()


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.parametrize("value", [[], {"a": []}, -3, "\x1b[31m", True])
def test_a_fact_of_the_wrong_kind_is_told(good, name, value):
    write(good, FACTS | {name: value}, ARRAYS)
    refused(good, "its facts: ")


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_that_is_missing_is_told(good, name):
    less = {key: value for key, value in FACTS.items() if key != name}
    write(good, less, ARRAYS)
    refused(good, f"field `{name}`")


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "3", "[" * 200_000, '{"format": NaN}']
)
def test_facts_that_are_no_table_are_told(good, text):
    with good.open("wb") as file:
        np.savez(file, facts=np.array(text), **ARRAYS)
    refused(good, "its facts: ")


def test_bytes_that_were_changed_are_noticed_or_of_no_consequence(good):
    whole, rng = good.read_bytes(), random.Random(0)
    noticed = 0
    for _ in range(500):
        bad = bytearray(whole)
        bad[rng.randrange(len(bad))] = rng.randrange(256)
        good.write_bytes(bad)
        try:
            found = read(good).arrays
        except TraceError:
            noticed += 1
        else:
            for name, array in ARRAYS.items():
                assert np.array_equal(found[name], array)
    assert noticed > 300


def test_more_bytes_than_a_trace_has_are_not_unpacked(good, monkeypatch):
    """A few kilobytes can be packed gigabytes."""
    with zipfile.ZipFile(good, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.npy", bytes(2**20))
    monkeypatch.setattr(tracefile, "LARGEST", 2**20)
    refused(good, "more than 1,048,576")


def test_an_array_that_claims_to_be_larger_than_its_file_is_told(good):
    with zipfile.ZipFile(good, "w") as archive:
        header = {"descr": "<f8", "fortran_order": False, "shape": (2**40,)}
        text = str(header).encode() + b" " * 20 + b"\n"
        content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
        archive.writestr("a.npy", content)
        archive.writestr("facts.npy", json.dumps(FACTS))
    refused(good)


def test_an_array_of_objects_is_not_unpickled(good):
    with good.open("wb") as file:
        np.savez(file, facts=np.array([{}], dtype=object))
    refused(good, "allow_pickle=False")
