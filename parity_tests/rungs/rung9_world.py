"""Rung 9: several processes are the one process, at every step.

The same training in one process, in 2, in 3, and on 8 devices, each by the
framework's own engine. A batch of 32 does not divide evenly by 3, and the
last one has 16 images. State goes from one number of processes to another by
checkpoints. All of it is on a CPU, in float64.

That all processes agree proves nothing: with averaged gradients they do, too.
So the judge compares with the oracle, and with one process.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from common.checkpoint import shared_start
from common.recipe import Recipe
from common.world import ALONE, World
from parity_tests.harness.cases import (
    TRAJECTORY,
    Arrays,
    random_images,
    random_labels,
)
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.harness.processes import run_all
from parity_tests.rungs.rung7_trajectory import (
    SEED,
    expected_run,
    flatten,
    furthest,
    run,
)

# Four epochs of 5 steps; of 2 steps, the second with 2 images a device.
SMALL = replace(
    TRAJECTORY, width=4, batch_size=32, train_images=144, test_images=40
)
RECIPE = in_precision(SMALL, "float64")
SHORT = replace(RECIPE, train_images=48)
DROPOUT = replace(RECIPE, dropout_rate=0.5)
PREFIX = "9/float64"
# What is trained, and which of its epochs. "one-two": from a checkpoint of
# one process on in two.
PARTS = {
    "one": (RECIPE, range(4)),
    "two": (RECIPE, range(4)),
    "one-two": (RECIPE, range(2, 3)),
    "three": (RECIPE, range(1)),
    "two-three": (RECIPE, range(2, 4)),
    "two-one": (RECIPE, range(2, 4)),
    "eight": (SHORT, range(2)),
}
# Processes, and devices of each.
CASES = {"two": (2, 1), "three": (3, 1), "eight": (1, 8)}


def trace(driver: Driver) -> None:
    """One process here; the others as their launcher would start them."""
    outer = driver.folder
    with TemporaryDirectory() as place:
        driver.folder = Path(place)
        steps, found = train(driver, "one", save=True)
        driver.put_all(PREFIX, found)
        permuted = run(
            driver, RECIPE, driver.adapter.MODE, probe=False, order=1
        )
        driver.put(f"{PREFIX}/floor", furthest(steps, permuted[0]))
        np.save(driver.folder / "dropout.npy", dropout_loss(driver, ALONE))
        for case, (size, devices) in CASES.items():
            if driver.framework == "pytorch":
                size, devices = size * devices, 1
            run_all(driver, "rung9_world", case, size, devices)
            driver.put_all(PREFIX, collected(driver.folder, case, size))
        driver.put_all(PREFIX, train(driver, "two-one")[1])
    driver.folder = outer


def work(driver: Driver, world: World, case: str) -> None:
    """What each process of a case does; the first keeps all of it."""
    parts = {
        "two": ("two", "one-two"),
        "three": ("three", "two-three"),
        "eight": ("eight",),
    }[case]
    found: Arrays = {}
    for part in parts:
        steps, named = train(driver, part, save=part == "two" and world.leads)
        found |= named
        ends = {f"{part}/ends/{name}": a for name, a in steps[-1].items()}
    if case == "two":
        found["dropout/wrong"] = np.array(dropout_wrong(driver, world))
    kept = found | ends if world.leads else ends
    np.savez(driver.folder / f"{case}.{world.rank}.npz", **kept)


def train(
    driver: Driver, part: str, save: bool = False
) -> tuple[list[Arrays], Arrays]:
    """Train a part: its steps; and all by name, as in a run without a break.

    save: write the state after two epochs, for the parts that go on from it.
    """
    recipe, epochs = PARTS[part]
    state = None
    if "-" in part:
        file = driver.folder / f"{part.partition('-')[0]}.safetensors"
        state = driver.state(recipe, seed=SEED)
        state = driver.checkpoint.load(file, state, recipe)
        state = driver.adapter.settle(state, driver.device)

    def saving(epoch: int, state) -> None:
        if save and epoch == 1:
            file = driver.folder / f"{part}.safetensors"
            driver.checkpoint.save(file, state, recipe)

    steps, _, sums = run(
        driver,
        recipe,
        driver.adapter.MODE,
        *(epochs, state),
        probe=False,
        after_epoch=saving,
    )
    return steps, numbered(part, steps, sums)


def numbered(part: str, steps: list[Arrays], sums: list[dict]) -> Arrays:
    """By `part/step/tensor`, counted from the start of the training."""
    recipe, epochs = PARTS[part]
    before = epochs.start * recipe.steps_per_epoch
    found = flatten([{}] * before + steps, [{}] * epochs.start + sums)
    return {f"{part}/{name}": value for name, value in found.items()}


def collected(folder: Path, case: str, size: int) -> Arrays:
    """What the processes of a case have kept, and whether they end equal."""
    first, *others = (
        dict(np.load(folder / f"{case}.{rank}.npz")) for rank in range(size)
    )
    ends = [name for name in first if "/ends/" in name]
    unequal = sum(
        first[name].tobytes() != other[name].tobytes()
        for other in others
        for name in ends
    )
    found = {name: a for name, a in first.items() if name not in ends}
    return found | {f"{case}/unequal": np.array(unequal)}


# --- Dropout ------------------------------------------------------------


def dropout_loss(driver: Driver, world: World) -> float:
    """The loss of a training step with dropout, as this process has it.

    The images of a batch come twice. In PyTorch and TensorFlow each of two
    processes has them once; the arrays of JAX are the whole batch.
    """
    images, labels = random_images(8, 32, 9), random_labels(8, 9)
    if driver.framework == "jax_flax":
        images, labels = np.tile(images, (2, 1, 1, 1)), np.tile(labels, 2)
    state = driver.state(DROPOUT, shared_start(DROPOUT, SEED), SEED)
    _, metrics = driver.train_step(
        state, driver.images(images, DROPOUT), driver.labels(labels), 0.0
    )
    return float(driver.numbers(metrics)["loss"])


def dropout_wrong(driver: Driver, world: World) -> int:
    """1 if both processes have one mask, or JAX's masks depend on them."""
    loss = dropout_loss(driver, world)
    if driver.framework == "jax_flax":
        alone = float(np.load(driver.folder / "dropout.npy"))
        return int(abs(loss - alone) > 1e-9 * abs(alone))
    bits = np.frombuffer(np.float64(loss).tobytes(), np.int32)
    both = world.gather(bits.copy())
    return int((both[0] == both[1]).all())


# --- Oracle -------------------------------------------------------------


def expected() -> Arrays:
    """The oracle's one process, under the name of each part."""
    whole = {recipe: expected_run(recipe, probe=False) for recipe in recipes()}
    found: Arrays = {
        f"{PREFIX}/dropout/wrong": np.array(0),
        **{f"{PREFIX}/{case}/unequal": np.array(0) for case in CASES},
    }
    for part, (recipe, epochs) in PARTS.items():
        steps, sums = whole[recipe]
        each = recipe.steps_per_epoch
        some = steps[epochs.start * each : epochs.stop * each]
        named = numbered(part, some, sums[epochs.start : epochs.stop])
        found |= {f"{PREFIX}/{name}": value for name, value in named.items()}
    return found


def recipes() -> set[Recipe]:
    """What the parts train."""
    return {recipe for recipe, _ in PARTS.values()}
