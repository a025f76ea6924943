"""Loading: from a place on this disk, from the cache, or made."""

import pytest

from common.cifar10.load import load_data
from common.errors import DataError, SourceError
from common.recipe import Run
from parity_tests.unit import cifar10_fakes as fakes
from parity_tests.unit.cifar10_loading import (
    CIFAR10,
    OFFLINE,
    RECIPE,
    assert_loaded,
    fails,
    fill,
)


def test_a_cache_hit_touches_no_network(arrays, root, no_network):
    fill(root, arrays)
    data = load_data(RECIPE, CIFAR10)
    assert_loaded(data, arrays)
    assert data.source == "a test"


def test_a_data_dir_is_used_without_the_network(
    tmp_path, arrays, root, no_network
):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(fakes.python_archive(arrays))
    data = load_data(RECIPE, Run(data_dir=str(path)))
    assert_loaded(data, arrays)
    assert data.source == str(path)
    assert (root / "cifar10").is_dir()
    assert_loaded(load_data(RECIPE, OFFLINE), arrays)


def test_the_variable_davidnet_data_is_a_data_dir(
    tmp_path, arrays, root, no_network, monkeypatch
):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(fakes.binary_archive(arrays))
    monkeypatch.setenv("DAVIDNET_DATA", str(path))
    assert_loaded(load_data(RECIPE, OFFLINE), arrays)
    # The flag goes before the variable.
    fails(DataError, "no such file", Run(data_dir=str(tmp_path / "none")))


@pytest.mark.parametrize("inside", ["", "cifar10"])
def test_a_cache_is_a_data_dir(tmp_path, arrays, root, no_network, inside):
    fill(tmp_path / "other", arrays)
    place = tmp_path / "other" / inside
    assert_loaded(load_data(RECIPE, Run(data_dir=str(place))), arrays)
    assert not root.exists()


def test_the_synthetic_set_needs_nothing(root, no_network):
    data = load_data(RECIPE, Run(dataset="synthetic", seed=3))
    assert data.train.images.shape == (30, 32, 32, 3)
    assert data.test.labels.shape == (12,)
    assert data.source == "synthetic, seed 3"
    assert sorted(data.sums) == ["x_test", "x_train", "y_test", "y_train"]
    assert not root.exists()


def test_offline_with_an_empty_cache(arrays, root, no_network):
    fails(
        SourceError, "--offline forbids to fetch it; give --data-dir", OFFLINE
    )
    assert not root.exists()


def test_a_bad_data_dir_is_no_reason_to_use_the_network(
    tmp_path, arrays, root, no_network
):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(fakes.binary_archive(arrays)[:-100])
    fails(DataError, "cut short, damaged", Run(data_dir=str(path)))
    assert not root.exists()


def test_a_bad_data_dir_is_an_error_even_with_a_good_cache(
    tmp_path, arrays, root
):
    fill(root, arrays)
    fails(DataError, "no such file", Run(data_dir=str(tmp_path / "none")))
