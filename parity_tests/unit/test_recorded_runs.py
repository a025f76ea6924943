"""The verdict on recorded runs: what decides it, and what must not."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from common.environments import FRAMEWORKS
from parity_tests.judge.recorded_runs import (
    FEWEST,
    FULL,
    SMALL,
    accuracy_verdict,
    analyze,
    compare_pairs,
    paired,
    read_runs,
    unpaired,
)
from tools.results.tests import fake_records

SEEDS = range(FEWEST)
NOISE = np.array([0.1, -0.3, 0.2, 0.05, -0.1, 0.4, -0.2, 0.0, 0.15, -0.25])


def fake(framework: str, seed: int, points: float, **changed):
    """A run of `small` that reaches the levels after 1, 2 and 3 epochs."""
    values = {"title": "small", "precision": "float32", "init": "native"}
    values |= {"loss": 0.35, "load": None, "started": "1", "late": 0}
    values |= {"mode": "eager", "levels": SMALL.levels}
    values |= changed
    reached = [0.0] * values["late"] + [*values["levels"], points / 100]
    rows = [
        SimpleNamespace(
            epoch=epoch,
            test_accuracy=value,
            train_loss=values["loss"],
            train_seconds=float(epoch),
        )
        for epoch, value in enumerate(reached, 1)
    ]
    about = SimpleNamespace(
        framework=framework,
        seed=seed,
        preset="small",
        precision=values["precision"],
        mode=values["mode"],
        started=values["started"],
        run=SimpleNamespace(init=values["init"], load=values["load"]),
    )
    return SimpleNamespace(title=values["title"], about=about, rows=rows)


def three(jax=0.0, seeds=SEEDS, every=None, **changed) -> list:
    """The runs of all three, JAX's shifted by `jax` points and changed.

    every: what is changed in the runs of all.
    """
    changes = [every or {}, every or {}, (every or {}) | changed]
    return [
        fake(name, seed, 86.7 + NOISE[seed] + shift, **more)
        for name, shift, more in zip(
            FRAMEWORKS, (0.02, 0.0, jax), changes, strict=True
        )
        for seed in (seeds if name == "jax_flax" else SEEDS)
    ]


def full(jax=0.0, seeds=SEEDS, **changed) -> list:
    """The runs of the full recipe, as `three` makes them."""
    every = {"title": "dawnbench", "precision": "bfloat16", "mode": "compiled"}
    every |= {"levels": FULL.levels}
    return three(jax, seeds, every, **changed)


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        (three(), "equivalent"),
        (three(0.29), "equivalent"),
        (three(0.31), "DIFFERENT"),
        (three(-0.31), "DIFFERENT"),
        (three(seeds=range(FEWEST - 1)), "undecided"),
        (three(precision="bfloat16"), "undecided"),
        (three(init="shared"), "undecided"),
        (three(load="x"), "undecided"),
        (three(title="small, epochs 2"), "undecided"),
        ([], "undecided"),
    ],
)
def test_only_runs_of_one_recipe_decide_whether_accuracies_are_equal(
    runs, verdict
):
    assert accuracy_verdict(runs)[0] == verdict


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        (three() + full(), "equivalent"),
        (three() + full(0.31), "DIFFERENT"),
        (three(0.31) + full(), "DIFFERENT"),
        # Too few, of another mode, or loaded: it does not count yet.
        (three() + full(0.31, range(FEWEST - 1)), "equivalent"),
        (three() + full(0.31, mode="eager"), "equivalent"),
        (three() + full(0.31, load="x"), "equivalent"),
        (full(), "undecided"),  # small always counts
    ],
)
def test_the_full_recipe_counts_when_all_have_trained_it(runs, verdict):
    assert accuracy_verdict(runs)[0] == verdict


def test_each_recipe_has_levels_of_its_own():
    late = full(late=2)
    assert accuracy_verdict(three() + late)[0] == "DIFFERENT"
    _, pair, _ = compare_pairs(late, FULL)
    assert pair.epochs == ((1, 3), (2, 4), (3, 5))
    assert compare_pairs(late, SMALL)[1].seeds == 0


def test_scattered_runs_decide_nothing():
    runs = three()
    for number, run in enumerate(runs):
        run.rows[-1].test_accuracy += 0.02 * (-1) ** (number // 3)
    assert accuracy_verdict(runs)[0] == "undecided"


def test_of_a_seed_the_newest_run_counts():
    newer = [fake("jax_flax", s, 80 + NOISE[s], started="2") for s in SEEDS]
    for runs in (three() + newer, newer + three()):
        assert accuracy_verdict(runs)[0] == "DIFFERENT"


def test_the_claim_gives_means_seeds_and_intervals():
    _, numbers = accuracy_verdict(three(seeds=range(3)))
    assert "(seeds; 10 needed of each)" in numbers
    assert "jax_flax 86.70 % (3)" in numbers  # NOISE[:3] sums to 0
    assert numbers.count(" % (10)") == 2
    assert "90 % interval (margin 0.30)" in numbers
    assert "pytorch minus jax_flax +0.00 (+0.00 to +0.00)" in numbers
    _, numbers = accuracy_verdict([])
    assert numbers.endswith("pytorch none (0), jax_flax none (0)")


def test_losses_and_epochs_have_their_own_verdicts():
    of = {pair.one + pair.other: pair for pair in compare_pairs(three(), SMALL)}
    assert {pair.loss_verdict for pair in of.values()} == {"equivalent"}
    assert {pair.epochs_verdict for pair in of.values()} == {"equivalent"}
    _, with_jax, _ = compare_pairs(three(loss=0.35 * 1.03), SMALL)
    assert with_jax.verdict == "equivalent"
    assert with_jax.loss_verdict == "DIFFERENT"
    assert with_jax.loss.mean == pytest.approx(-100 * 0.03 / 1.015)
    for late, verdict in ((1, "equivalent"), (2, "DIFFERENT")):
        _, with_jax, _ = compare_pairs(three(late=late), SMALL)
        assert with_jax.epochs_verdict == verdict
        assert accuracy_verdict(three(late=late))[0] == verdict


def test_pairs_take_away_what_both_share():
    one, other = 86 + NOISE, 86.1 + NOISE + np.linspace(-0.01, 0.01, FEWEST)
    narrow, wide = paired(one - other), unpaired(one, other)
    assert narrow.mean == pytest.approx(wide.mean)
    assert wide.high - wide.low > 10 * (narrow.high - narrow.low)
    low, high = stats.ttest_rel(one, other).confidence_interval(0.90)
    assert (narrow.low, narrow.high) == pytest.approx((low, high))
    assert unpaired(one * 0, one * 0 + 1).mean == -1


def test_recorded_runs_are_laid_together_by_recipe_and_counted_once(tmp_path):
    for place in ("runs", "results"):  # the second is the published copy
        for name, epochs in (("a", 1), ("b", 1), ("c", 2)):
            fake_records.put(tmp_path / place / "pytorch" / name, epochs)
    (tmp_path / "runs" / "pytorch" / "d").mkdir()
    roots = [tmp_path / "runs", tmp_path / "results", tmp_path / "missing"]
    runs, unreadable = read_runs(roots)
    lines = analyze(runs)
    assert [line.partition(", mean")[0] for line in lines[:2]] == [
        "small, epochs 1, float32: pytorch: 2 runs",
        "small, epochs 2, float32: pytorch: 1 run",
    ]
    assert lines[0].endswith("85% in 2 of 2, median epoch 1, 5.0 s")
    assert lines[2] == (
        f"{SMALL.name}: tensorflow_eager and pytorch, 0 seeds in "
        "both: undecided within 0.30 points"
    )
    assert unreadable == [
        "pytorch/d: not counted: empty: the folder holds nothing"
    ]
