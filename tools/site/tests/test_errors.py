"""The page of the errors: its numbers, and what it says without them."""

import re
from pathlib import Path

import numpy as np
import pytest

from common.cifar10.load import Cifar10, Split
from common.run.records import find_runs
from tools.site import errors
from tools.site.contract import FRAMEWORKS
from tools.site.pages import environment, write_errors
from tools.site.plan import Site
from tools.site.tests import fakes
from tools.site.tests.test_site import Page

N = fakes.RECIPE.test_images
LABELS = (np.arange(N) % 10).astype(np.uint8)
IMAGES = np.zeros((N, 32, 32, 3), np.uint8)
DATA = Cifar10(Split(IMAGES, LABELS), Split(IMAGES, LABELS), "made up", {})


def keep(root: Path, framework: str, seed: int, wrong, **about) -> Path:
    """A record of a training that takes these images for the next class."""
    folder = fakes.record(root, framework, seed, **about)
    predictions = LABELS.copy()
    predictions[wrong] = (predictions[wrong] + 1) % 10
    np.save(folder / "predictions.npy", predictions)
    return folder


def page(root: Path, data=(DATA, "")) -> str:
    """The page of the records of a folder, as text without tags."""
    site = Site(root / "out", runs=root)
    site.data = data
    write_errors(site, environment(site), root)
    text = (root / "errors.html").read_text()
    parsed = Page(text)
    assert not parsed.wrong and not parsed.open
    words = re.sub("<[^>]+>", " ", text.partition("<main")[2])
    return " ".join(words.split())


@pytest.fixture
def three(tmp_path):
    """Two seeds of PyTorch, one of the others; the images that are wrong."""
    keep(tmp_path, "tensorflow_eager", 0, [0, 1, 2])
    keep(tmp_path, "pytorch", 0, [0, 1])
    keep(tmp_path, "pytorch", 1, [0, 11, 12, 13])
    keep(tmp_path, "jax_flax", 0, [0, 10])
    return tmp_path


def test_churn_is_counted_between_all_pairs(three):
    (one,), damaged = errors.collect(find_runs(three)[0])
    assert not damaged
    percent = 100 / N
    tf, torch, jax = FRAMEWORKS
    assert errors.pairs(one) == {
        (tf, tf): {"same": [], "other": []},
        (torch, torch): {"same": [], "other": [4 * percent]},
        (jax, jax): {"same": [], "other": []},
        (tf, torch): {"same": [1 * percent], "other": [5 * percent]},
        (tf, jax): {"same": [3 * percent], "other": []},
        (torch, jax): {"same": [2 * percent], "other": [4 * percent]},
    }
    text = page(three)
    assert "TensorFlow one training one seed only" in text
    assert "PyTorch one training 0.04 % 1 pair" in text
    assert "TensorFlow and JAX 0.03 % 1 pair no such pair" in text
    # 4 between seeds; 5 and 4 between frameworks, in ten thousandths.
    assert "on 0.04 % of the images, two seeds of two frameworks on" in text
    assert "medians of 1 and 2 pairs" in text


def test_errors_are_counted_by_class(three):
    """Of seed 0 only: the others have no seed 1."""
    (one,), _ = errors.collect(find_runs(three)[0])
    rows = errors.by_class(errors.columns(one, LABELS), LABELS)
    assert {name: " ".join(rows[name]) for name in list(rows)[:3]} == {
        "airplane": "1,000 1.0 1.0 2.0 1 0 0 1",
        "automobile": "1,000 1.0 1.0 0.0 0 0 0 0",
        "bird": "1,000 1.0 0.0 0.0 0 1 0 0",
    }
    assert " ".join(rows["all"]) == "10,000 3.0 2.0 2.0 1 1 0 1"
    text = page(three)
    assert "All three: 1 image airplane taken for automobile 3 of 3" in text
    assert "Only JAX: 1 image airplane taken for automobile 1 of 1" in text


def test_an_image_is_wrong_only_if_every_seed_says_so(three):
    keep(three, "tensorflow_eager", 1, [0, 2])
    keep(three, "jax_flax", 1, [11])
    (one,), _ = errors.collect(find_runs(three)[0])
    found = errors.columns(one, LABELS)
    assert not found["all three"].any()  # JAX's seed 1 has image 0 right
    assert np.flatnonzero(found["only TensorFlow"]).tolist() == [2]
    assert not found["only JAX"].any()
    assert found["wrong, JAX"][[0, 10, 11, 12]].tolist() == [0.5, 0.5, 0.5, 0]


def test_more_images_than_fit_are_counted_and_some_are_shown(tmp_path):
    for framework in FRAMEWORKS:
        keep(tmp_path, framework, 0, range(1200))
    text = page(tmp_path)
    assert f"All three: 1,200 images, {errors.SHOWN} of them shown" in text
    assert text.count("taken for") == errors.SHOWN


def test_damaged_predictions_are_told_and_left_out(three):
    path = keep(three, "jax_flax", 1, []) / "predictions.npy"
    path.write_bytes(b"no array")
    text = page(three)
    _, _, told = text.partition("Predictions that cannot be read")
    assert path.parent.name in told and "predictions.npy: damaged" in told
    assert str(three) not in told
    assert "TensorFlow 1, PyTorch 2, JAX 1 runs" in text


def test_without_one_framework_the_others_are_compared(tmp_path):
    keep(tmp_path, "tensorflow_eager", 0, [1])
    keep(tmp_path, "pytorch", 0, [2])
    fakes.record(tmp_path, "jax_flax")
    text = page(tmp_path)
    assert "TensorFlow and PyTorch 0.02 %" in text
    assert "PyTorch and JAX no predictions no predictions" in text
    assert "cannot be told: JAX has no predictions of this recipe" in text
    assert "1 other record of this recipe has no predictions" in text


def test_without_a_common_seed_churn_alone_is_shown(tmp_path):
    for seed, framework in enumerate(FRAMEWORKS):
        keep(tmp_path, framework, seed, [seed])
    text = page(tmp_path)
    assert "TensorFlow and PyTorch no such pair 0.02 %" in text
    assert "there is no seed that all three were trained with" in text


def test_without_predictions_the_page_says_so(tmp_path):
    fakes.three(tmp_path)
    fakes.record(tmp_path, "jax_flax", 3, status="failed")  # not counted
    assert "5 whole trainings on CIFAR-10 have no predictions" in page(tmp_path)


def test_without_cifar10_churn_is_shown_and_the_rest_is_told(three):
    text = page(three, (None, "no CIFAR-10 on this disk"))
    assert "TensorFlow and PyTorch 0.01 %" in text
    assert "Neither labels nor images are here: no CIFAR-10" in text
    assert "taken for" not in text


def test_other_precisions_and_synthetic_data_are_not_mixed(three):
    changes = {5: ("float32", "bfloat16"), 6: ("cifar10", "synthetic")}
    for seed, (old, new) in changes.items():
        path = keep(three, "jax_flax", seed, []) / "run.json"
        path.write_text(path.read_text().replace(f'"{old}"', f'"{new}"'))
    made, _ = errors.collect(find_runs(three)[0])
    assert {one.title: list(map(list, one.found.values())) for one in made} == {
        "small, epochs 4, float32": [[0], [0, 1], [0]],
        "small, epochs 4, bfloat16": [[], [], [5]],
    }
