"""Loading: from a place on this disk, from the cache, or made."""

import pytest

from common.errors import DataError, SourceError, UsageError
from common.recipe import Run
from parity_tests.unit import cifar10_fakes as fakes
from parity_tests.unit.cifar10_loading import fails, fill, flip, load, loaded
from parity_tests.unit.cifar10_reading import write


def test_a_cache_hit_touches_no_network(arrays, root, no_network):
    fill(root, arrays)
    assert loaded(arrays).source == "a test"


def test_a_data_dir_is_used_without_the_network(
    place, arrays, root, no_network
):
    assert loaded(arrays, data_dir=place).source == str(place)
    assert (root / "cifar10").is_dir()
    loaded(arrays, offline=True)


def test_the_variable_davidnet_data_is_a_data_dir(
    place, arrays, root, no_network, monkeypatch
):
    monkeypatch.setenv("DAVIDNET_DATA", str(place))
    loaded(arrays, offline=True)
    # The flag goes before the variable.
    fails(DataError, "no such file", data_dir=place / "none")


@pytest.mark.parametrize("inside", ["", "cifar10"])
def test_a_cache_is_a_data_dir(tmp_path, arrays, root, no_network, inside):
    fill(tmp_path / "other", arrays)
    data = loaded(arrays, data_dir=tmp_path / "other" / inside)
    assert data.source == str(tmp_path / "other" / "cifar10")
    assert not root.exists()


def test_a_cache_without_its_manifest_is_a_data_dir(tmp_path, arrays, root):
    folder = fill(tmp_path / "other", arrays)
    for manifest in ("{}", "not ours"):
        (folder / "manifest.json").write_text(manifest)
        said = []
        loaded(arrays, said.append, data_dir=folder)
        assert said[0].startswith("CIFAR-10: ")
        assert "manifest.json" in said[0]  # and why it is not used
    flip(folder / "y_test.npy")
    fails(DataError, "y_test is damaged", data_dir=folder)


def test_the_place_that_was_read_is_recorded_not_the_cache(
    tmp_path, arrays, root
):
    fill(root, arrays)
    files = fakes.python_files(arrays)
    home = write(tmp_path / "datasets" / "cifar-10-batches-py", files)
    data = loaded(arrays, data_dir=tmp_path / "datasets")
    assert data.source == str(home)
    assert load().source == "a test"


def test_a_place_below_the_home_is_recorded_without_the_users_name(
    tmp_path, arrays, root, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path / "anna"))
    place = tmp_path / "anna" / "a \n\udcff.tar.gz"
    place.parent.mkdir()
    place.write_bytes(fakes.binary_archive(arrays))
    lines = []
    data = loaded(arrays, lines.append, data_dir=place)
    assert data.source == "~/a ?.tar.gz"
    assert all(line.isprintable() for line in lines)
    manifest = (root / "cifar10" / "manifest.json").read_text()
    assert "anna" not in manifest
    assert load(offline=True).source == "~/a ?.tar.gz"


def test_a_tilde_in_a_data_dir_is_a_home_folder(
    tmp_path, place, arrays, root, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    loaded(arrays, data_dir="~/a.tar.gz")
    monkeypatch.setenv("DAVIDNET_DATA", "~/a.tar.gz")
    loaded(arrays)


def test_an_address_is_no_data_dir(arrays, root, no_network, monkeypatch):
    words = "--data-dir: expected a path, found an address; DAVIDNET_MIRROR"
    address = "https://anna:secret@host/c"
    with pytest.raises(UsageError, match=words) as caught:
        Run(data_dir=address)
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("DAVIDNET_DATA", address)
    assert "secret" not in fails(UsageError, words)


def test_the_synthetic_set_needs_nothing(root, no_network):
    data = load(dataset="synthetic", seed=3)
    assert data.train.images.shape == (30, 32, 32, 3)
    assert data.test.labels.shape == (12,)
    assert data.source == "synthetic, seed 3"
    assert sorted(data.sha256) == ["x_test", "x_train", "y_test", "y_train"]
    assert not root.exists()


def test_offline_with_an_empty_cache(arrays, root, no_network):
    words = "--offline forbids to fetch it; give --data-dir"
    fails(SourceError, words, offline=True)
    assert not root.exists()


def test_a_bad_data_dir_is_no_reason_to_use_the_network(
    place, arrays, root, no_network
):
    place.write_bytes(place.read_bytes()[:-100])
    fails(DataError, "cut short or damaged", data_dir=place)
    assert not root.exists()
    fill(root, arrays)
    fails(DataError, "cut short or damaged", data_dir=place)
