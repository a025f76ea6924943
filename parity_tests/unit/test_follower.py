"""A process that another one leads: the same training, and no record."""

from dataclasses import replace

import numpy as np
import pytest

from common.errors import CheckpointError, LossNotFinite
from common.recipe import PRESETS, Run
from common.run.follower import Follower, open_record
from common.world import World

RECIPE = replace(
    PRESETS["smoke"], train_images=64, test_images=32, batch_size=16
)
RUN = Run(dataset="synthetic", seed=3)


def world(**given) -> World:
    """The second of two processes, which are alike."""
    given.setdefault("gather", lambda numbers: np.array([numbers, numbers]))
    return World(1, 2, **given)


@pytest.fixture
def follower(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_record("pytorch", RECIPE, RUN, {}, world()) as follower:
        yield follower
    assert not list(tmp_path.iterdir())


def test_it_has_the_data_and_the_epochs_of_the_run(follower, capsys):
    assert isinstance(follower, Follower)
    assert len(follower.load_data().train.images) == RECIPE.train_images
    assert follower.run == RUN
    steps = RECIPE.steps_per_epoch
    assert follower.epochs(steps) == range(1, RECIPE.epochs)
    with pytest.raises(CheckpointError, match="the leader's checkpoint: "):
        follower.epochs(steps + 1)
    with follower.training():
        assert list(follower.progress([1, 2], 0)) == [1, 2]
    follower.end_epoch(0, {"loss": 1.0}, {"loss": 1.0})
    follower.evaluated({"loss": 1.0})
    follower.predicted(np.zeros((1, 10)))
    assert capsys.readouterr().out == ""


def test_what_the_leader_starts_from_is_where_it_starts(follower):
    def leads(arrays):  # as the leader has done 12 updates from ones
        found = {name: np.ones_like(array) for name, array in arrays.items()}
        return found | {"step": np.array([12], np.int32)}

    follower.world = world(spread=leads)
    start = follower.initial()
    assert start.step == 12
    assert all((array == 1).all() for array in start.arrays.values())


def test_the_others_are_waited_for_less_long_once_all_have_started(follower):
    settled = []
    follower.world = world(settle=lambda: settled.append(1))
    with follower.warming_up():
        assert not settled
    assert settled


@pytest.mark.parametrize(
    ("train", "test", "told"),
    [
        (np.nan, 1.0, "training loss is nan in epoch 2; .* --peak-lr"),
        (1.0, np.inf, "test loss is inf in epoch 2; .* --peak-lr"),
    ],
)
def test_a_loss_that_is_not_finite_ends_it_as_the_leader(
    follower, train, test, told
):
    with pytest.raises(LossNotFinite, match=told):
        follower.end_epoch(1, {"loss": train}, {"loss": test})


def test_of_a_finished_training_the_last_epoch_is_named(follower):
    with pytest.raises(LossNotFinite, match=f"epoch {RECIPE.epochs}; the lead"):
        follower.evaluated({"loss": np.nan})
