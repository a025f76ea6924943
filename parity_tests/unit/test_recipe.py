"""The recipe: its numbers are the specification's, and nonsense is refused."""

import dataclasses

import pytest

from common.draws import epoch_draws
from common.errors import UsageError
from common.init import parameter_table
from common.recipe import PRESETS, Recipe, Run

SPECIFIED = {
    "width": 64,
    "epochs": 24,
    "batch_size": 512,
    "peak_lr": 0.4,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "dropout_rate": 0.0,
    "cutout_size": 8,
    "pad_each_side": 4,
    "bn_eps": 1e-5,
    "bn_keep": 0.9,
    "logit_scale": 0.125,
    "pixel_mean": (125.307, 122.950, 113.865),
    "pixel_std": (62.993, 62.089, 66.705),
    "train_images": 50_000,
    "test_images": 10_000,
    "precision": "float32",
}
ROW, *_ = parameter_table(Recipe())
DRAWS = epoch_draws(0, 0, Recipe(train_images=2, batch_size=1))
CHANGED = {
    "dawnbench": {},
    "dropout": {"dropout_rate": 0.05, "cutout_size": 0},
    "small": {"width": 16, "epochs": 8, "cutout_size": 0},
    "smoke": {
        "width": 4,
        "epochs": 1,
        "dropout_rate": 0.05,
        "train_images": 2_048,
        "test_images": 1_024,
    },
}


def test_the_default_is_the_specification():
    assert dataclasses.asdict(Recipe()) == SPECIFIED


@pytest.mark.parametrize("preset", CHANGED)
def test_a_preset_changes_the_fields_that_it_should_and_no_other(preset):
    assert PRESETS.keys() == CHANGED.keys()
    found = dataclasses.asdict(PRESETS[preset])
    assert found == SPECIFIED | CHANGED[preset]


@pytest.mark.parametrize(
    ("preset", "per_epoch", "total", "peak"),
    [
        ("dawnbench", 98, 2352, 5),
        ("dropout", 98, 2352, 5),
        ("small", 98, 784, 1),
        ("smoke", 4, 4, 0),
    ],
)
def test_steps_and_peak(preset, per_epoch, total, peak):
    recipe = PRESETS[preset]
    assert recipe.steps_per_epoch == per_epoch
    assert recipe.total_steps == total
    assert recipe.peak_epoch == peak


def test_a_short_last_batch_is_a_step_and_a_full_one_adds_none():
    def steps(images):
        return Recipe(train_images=images, batch_size=10).steps_per_epoch

    assert [steps(n) for n in (19, 20, 21)] == [2, 2, 3]


@pytest.mark.parametrize(
    "value", [Recipe(), Run(), ROW, DRAWS], ids=lambda v: type(v).__name__
)
def test_nothing_can_be_changed_afterwards(value):
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, 1)


def test_a_run_is_by_default_on_real_data_and_seed_0():
    assert dataclasses.asdict(Run()) == {
        "preset": "auto",
        "seed": 0,
        "dataset": "cifar10",
        "data_dir": None,
        "offline": False,
        "device": "auto",
        "devices": 1,
        "mode": "eager",
        "init": "native",
        "load": None,
        "out": None,
        "resume": False,
        "tensorboard": False,
        "debug": False,
    }


INF, NAN = float("inf"), float("nan")
REFUSED = {
    "width": [0, -1],
    "epochs": [0, -3],
    "batch_size": [0, -512, 50_001],
    "train_images": [0, 50_001],
    "test_images": [0, 10_001],
    "peak_lr": [0.0, -0.4, NAN, INF],
    "momentum": [-0.1, 1.0, NAN],
    "weight_decay": [-1e-9, INF],
    "dropout_rate": [-0.05, 1.0],
    "cutout_size": [-1, 33],
    "pad_each_side": [-1, 32],
    "bn_eps": [0.0, -1e-5],
    "bn_keep": [-0.1, 1.0],
    "logit_scale": [NAN],
    "pixel_mean": [(125.0, NAN, 113.0)],
    "pixel_std": [(62.0, 0.0, 66.0), (62.0, -62.0, 66.0), (62.0, 62.0, INF)],
    "seed": [-1, 2**31],
}
ALLOWED = {  # the last sensible values
    "width": [1],
    "epochs": [1],
    "batch_size": [1, 50_000],
    "test_images": [1],
    "momentum": [0.0],
    "weight_decay": [0.0],
    "dropout_rate": [0.0, 0.99],
    "cutout_size": [0, 32],
    "pad_each_side": [0, 31],
    "bn_keep": [0.0],
    "bn_eps": [1e-300],
    "peak_lr": [1e-300],
    "pixel_std": [(0.25, 0.25, 0.25)],
    "seed": [0, 2**31 - 1],
}


def made(field, value):
    """A recipe or a run, whichever has the field, with this value."""
    kind = Run if field == "seed" else Recipe
    return kind(**{field: value})


def pairs(table):
    """Each field of a table with each of its values."""
    return [(field, v) for field, values in table.items() for v in values]


@pytest.mark.parametrize(("field", "value"), pairs(REFUSED))
def test_nonsense_is_refused_by_the_name_of_its_flag(field, value):
    with pytest.raises(UsageError) as caught:
        made(field, value)
    message = str(caught.value)
    flag = "--" + field.replace("_", "-")
    assert message.startswith(f"{flag} {value}: expected ")
    assert "\n" not in message


def test_a_batch_larger_than_a_small_set_is_refused_with_its_size():
    with pytest.raises(UsageError, match=r"--batch-size 512: .* 300 "):
        Recipe(train_images=300)


@pytest.mark.parametrize(("field", "value"), pairs(ALLOWED))
def test_the_last_sensible_value_is_allowed(field, value):
    assert getattr(made(field, value), field) == value


@pytest.mark.parametrize(
    ("precision", "of_weights"),
    [("float32", "float32"), ("bfloat16", "float32"), ("float64", "float64")],
)
def test_weights_are_as_precise_as_the_recipe_but_not_bfloat16(
    precision, of_weights
):
    recipe = Recipe(precision=precision)
    assert recipe.param_dtype == of_weights
    assert recipe.compute_dtype == precision


def test_a_set_of_one_image_is_allowed():
    assert Recipe(batch_size=1, train_images=1).total_steps == 24


@pytest.mark.parametrize("field", ["data_dir", "load", "out"])
def test_a_path_of_no_letter_is_refused(field):
    """As of a shell's variable that is not set."""
    flag = "--" + field.replace("_", "-")
    with pytest.raises(UsageError, match=f"{flag}: expected a path"):
        Run(**{field: ""})
