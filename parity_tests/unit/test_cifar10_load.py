"""Loading: from a place on this disk, from the cache, or made."""

import pytest

from common.cifar10.load import load_data
from common.errors import DataError, SourceError, UsageError
from common.recipe import Run
from parity_tests.unit import cifar10_fakes as fakes
from parity_tests.unit.cifar10_loading import (
    CIFAR10,
    OFFLINE,
    RECIPE,
    assert_loaded,
    fails,
    fill,
    flip,
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
    data = load_data(RECIPE, Run(data_dir=str(place)))
    assert_loaded(data, arrays)
    assert data.source == str(tmp_path / "other" / "cifar10")
    assert not root.exists()


def test_a_cache_without_its_manifest_is_a_data_dir(tmp_path, arrays, root):
    fill(tmp_path / "other", arrays)
    folder = tmp_path / "other" / "cifar10"
    for manifest in ("{}", "not ours"):
        (folder / "manifest.json").write_text(manifest)
        assert_loaded(load_data(RECIPE, Run(data_dir=str(folder))), arrays)
    flip(folder / "y_test.npy")
    fails(DataError, "y_test is damaged", Run(data_dir=str(folder)))


def test_the_place_that_was_read_is_recorded_not_the_cache(
    tmp_path, arrays, root
):
    fill(root, arrays)
    home = tmp_path / "datasets" / "cifar-10-batches-py"
    home.mkdir(parents=True)
    for name, content in fakes.python_files(arrays).items():
        (home / name).write_bytes(content)
    data = load_data(RECIPE, Run(data_dir=str(tmp_path / "datasets")))
    assert_loaded(data, arrays)
    assert data.source == str(home)
    assert load_data(RECIPE, CIFAR10).source == "a test"


def test_a_place_below_the_home_is_recorded_without_the_users_name(
    tmp_path, arrays, root, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path / "anna"))
    place = tmp_path / "anna" / "a \n\udcff.tar.gz"
    place.parent.mkdir()
    place.write_bytes(fakes.binary_archive(arrays))
    lines = []
    data = load_data(RECIPE, Run(data_dir=str(place)), lines.append)
    assert data.source == "~/a ?.tar.gz"
    assert all(line.isprintable() for line in lines)
    manifest = (root / "cifar10" / "manifest.json").read_text()
    assert "anna" not in manifest
    assert load_data(RECIPE, OFFLINE).source == "~/a ?.tar.gz"


def test_a_tilde_in_a_data_dir_is_a_home_folder(
    tmp_path, arrays, root, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.tar.gz").write_bytes(fakes.binary_archive(arrays))
    assert_loaded(load_data(RECIPE, Run(data_dir="~/a.tar.gz")), arrays)
    monkeypatch.setenv("DAVIDNET_DATA", "~/a.tar.gz")
    assert_loaded(load_data(RECIPE, CIFAR10), arrays)


def test_an_address_is_no_data_dir(arrays, root, no_network, monkeypatch):
    words = "--data-dir: expected a path, found an address; DAVIDNET_MIRROR"
    address = "https://anna:secret@host/c"
    with pytest.raises(UsageError, match=words) as caught:
        Run(data_dir=address)
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("DAVIDNET_DATA", address)
    assert "secret" not in fails(UsageError, words)


def test_the_synthetic_set_needs_nothing(root, no_network):
    data = load_data(RECIPE, Run(dataset="synthetic", seed=3))
    assert data.train.images.shape == (30, 32, 32, 3)
    assert data.test.labels.shape == (12,)
    assert data.source == "synthetic, seed 3"
    assert sorted(data.sha256) == ["x_test", "x_train", "y_test", "y_train"]
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
    fails(DataError, "cut short or damaged", Run(data_dir=str(path)))
    assert not root.exists()


def test_a_bad_data_dir_is_an_error_even_with_a_good_cache(
    tmp_path, arrays, root
):
    fill(root, arrays)
    fails(DataError, "no such file", Run(data_dir=str(tmp_path / "none")))
