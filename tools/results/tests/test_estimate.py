"""The paper model: what follows from the recipe, and what it refuses."""

from dataclasses import replace
from statistics import median

import pytest

from common.run.records import find_runs, was_alone
from tools.results import estimate
from tools.results.estimate import ASSUMED, RECIPE, row, step_seconds
from tools.results.publish import RESULTS


def test_one_gpu_takes_what_is_assumed_of_it():
    assert step_seconds(1, RECIPE.batch_size) == pytest.approx(ASSUMED.step)
    assert row(1, RECIPE.batch_size)[4:6] == ["1.0", "100%"]


def test_what_is_summed_follows_from_the_recipe():
    # 6,573,120 numbers of four bytes, and 8 batch norms.
    assert estimate.gradient_bytes(RECIPE) == 26_292_480
    assert estimate.norm_sums(RECIPE) == 32
    half = replace(RECIPE, width=RECIPE.width // 2)
    assert estimate.gradient_bytes(half) < 26_292_480 / 3


def test_an_update_is_computing_small_sums_and_one_large_sum():
    """By hand: 8 GPUs with 64 images each."""
    computing = 1.6e-3 + (7.2e-3 - 1.6e-3) * 64 / 512
    sums = 32 * 12e-6 + 2 * 7 / 8 * 26_292_480 / 250e9
    assert step_seconds(8, 512) == pytest.approx(computing + sums)


def test_gpus_without_an_image_are_refused():
    cells = row(512, 512)
    assert "a last, partial batch has 272 images" in cells[3]
    assert not any(cells[4:])
    assert "refused" not in row(64, 512)[3]


def test_a_larger_batch_has_a_larger_learning_rate_and_fewer_updates():
    assert row(8, 4096)[-2:] == ["13", "3.2"]
    assert row(1, 512)[-2:] == ["98", "0.4"]


def test_the_update_of_one_gpu_is_that_of_the_published_training():
    runs, _ = find_runs(RESULTS)
    seconds = [
        run.rows[-1].train_seconds
        for run in runs
        if run.about.framework == "pytorch"
        and run.title == "dawnbench"
        and run.about.mode == "compiled"
        and "H100" in run.about.machine.device
        and was_alone(run.rows)
    ]
    # ASSUMED has two digits.
    step = median(seconds) / RECIPE.total_steps
    assert pytest.approx(step, rel=0.01) == ASSUMED.step


def test_the_table_says_that_it_is_an_estimate():
    assert "**An estimate, not a measurement.**" in estimate.estimate_table()
