"""Rung 9: several processes are the one process, at every step.

The same training in one process, in 2, in 3, and on 8 devices, each by the
framework's own engine. A batch of 32 does not divide evenly by 3, and the
last one has 16 images. State goes from one number of processes to another by
checkpoints. The several are on a CPU; all is in float64.

That all processes agree proves nothing: with averaged gradients they do, too.
So the judge compares with the oracle, and with one process. Single steps show
the statistics of batch norm where precision counts, and the masks of dropout.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from common.checkpoint import shared_start
from common.init import parameter_table
from common.recipe import Recipe
from common.world import World
from parity_tests.harness.cases import (
    NET,
    TRAJECTORY,
    Arrays,
    random_images,
    random_labels,
)
from parity_tests.harness.driver import Driver, in_precision
from parity_tests.harness.processes import run_all
from parity_tests.oracle import network as oracle
from parity_tests.rungs.rung4_bfloat16 import between
from parity_tests.rungs.rung4_forward import Case, cases
from parity_tests.rungs.rung7_trajectory import (
    SEED,
    expected_run,
    flatten,
    furthest,
    run,
)

# Four epochs of 5 steps; of 2 steps, the second with 11 images for 8 devices.
# Batch norm's constants are not those of a layer that forgets the recipe.
SMALL = replace(
    TRAJECTORY,
    width=4,
    batch_size=32,
    bn_keep=0.7,
    bn_eps=1e-2,
    train_images=144,
    test_images=40,
)
RECIPE = in_precision(SMALL, "float64")
SHORT = replace(RECIPE, train_images=43, test_images=44)
DROPOUT = replace(RECIPE, dropout_rate=0.5)
PREFIX = "9"
# What is trained, and which of its epochs. "one-two": from a checkpoint of
# one process on in two.
PARTS = {
    "one": (RECIPE, range(4)),
    "two": (RECIPE, range(4)),
    "one-two": (RECIPE, range(2, 3)),
    "three": (RECIPE, range(4)),
    "two-three": (RECIPE, range(2, 4)),
    "two-one": (RECIPE, range(2, 4)),
    "eight": (SHORT, range(2)),
}
# Processes, and devices of each.
CASES = {"two": (2, 1), "three": (3, 1), "eight": (1, 8)}
# In which there are single steps, too.
WITH_STEPS = ("two", "eight")


def trace(driver: Driver) -> None:
    """One process here; the others as their launcher would start them."""
    outer = driver.folder
    with TemporaryDirectory() as place:
        driver.folder = Path(place)
        steps, found, _ = train(driver, "one", save=True)
        driver.put_all(PREFIX, found)
        permuted = run(
            driver, RECIPE, driver.adapter.MODE, probe=False, order=1
        )
        driver.put(f"{PREFIX}/float64/floor", furthest(steps, permuted[0]))
        for times in (1, 2, 8):
            loss = dropout_loss(driver, times)
            np.save(driver.folder / f"dropout{times}.npy", loss)
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
    ends: Arrays = {}
    for part in parts:
        save = part == "two" and world.leads
        steps, named, state = train(driver, part, save)
        found |= named
        ends |= {f"{part}/ends/{name}": a for name, a in steps[-1].items()}
    if case in WITH_STEPS:
        found[f"float64/dropout/{case}"] = dropout_wrong(driver, world, case)
        for precision, one in stats_cases().items():
            recipe = in_precision(NET, precision)
            for name, array in one_step(driver, world, recipe, one).items():
                found[f"{precision}/{case}/{name}"] = array
    ends["apart"] = np.array(replicas_apart(driver, state))
    kept = found | ends if world.leads else ends
    np.savez(driver.folder / f"{case}.{world.rank}.npz", **kept)


def train(
    driver: Driver, part: str, save: bool = False
) -> tuple[list[Arrays], Arrays, object]:
    """Train a part: its steps; all by name, as without a break; the state.

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

    steps, state, sums = run(
        driver,
        recipe,
        driver.adapter.MODE,
        *(epochs, state),
        probe=False,
        after_epoch=saving,
    )
    return steps, numbered(part, steps, sums), state


def numbered(part: str, steps: list[Arrays], sums: list[dict]) -> Arrays:
    """By `float64/part/step/tensor`, from the start of the training on."""
    recipe, epochs = PARTS[part]
    before = epochs.start * recipe.steps_per_epoch
    found = flatten([{}] * before + steps, [{}] * epochs.start + sums)
    return {f"float64/{part}/{name}": value for name, value in found.items()}


def collected(folder: Path, case: str, size: int) -> Arrays:
    """What the processes of a case have kept, and whether they end equal.

    The replicas of a process count as processes.
    """
    every = [
        dict(np.load(folder / f"{case}.{rank}.npz")) for rank in range(size)
    ]
    apart = sum(int(one.pop("apart")) for one in every)
    first, *others = every
    ends = [name for name in first if "/ends/" in name]
    unequal = apart + sum(
        first[name].tobytes() != other[name].tobytes()
        for other in others
        for name in ends
    )
    found = {name: a for name, a in first.items() if name not in ends}
    return found | {f"float64/{case}/unequal": np.array(unequal)}


def replicas_apart(driver: Driver, state) -> int:
    """How many tensors differ between the devices of this process, in bits."""
    first, *others = driver.adapter.replicas(state)
    return sum(
        one.tobytes() != array.tobytes()
        for other in others
        for one, array in zip(first, other, strict=True)
    )


# --- Dropout ------------------------------------------------------------


def dropout_loss(driver: Driver, times: int) -> float:
    """The loss of a training step with dropout, as this process has it.

    times: how often the images come, one after the other.
    """
    images = np.tile(random_images(8, 32, 9), (times, 1, 1, 1))
    labels = np.tile(random_labels(8, 9), times)
    state = driver.state(DROPOUT, shared_start(DROPOUT, SEED), SEED)
    _, metrics = driver.train_step(
        state, driver.images(images, DROPOUT), driver.labels(labels), 0.0
    )
    return float(driver.numbers(metrics)["loss"])


def dropout_wrong(driver: Driver, world: World, case: str) -> np.ndarray:
    """1 if some have the same masks, or JAX's masks depend on the world.

    Each device has the same images. In PyTorch and TensorFlow a process has
    those of its own devices; the arrays of JAX are the whole batch.
    """

    def alone(times: int) -> float:
        return float(np.load(driver.folder / f"dropout{times}.npy"))

    devices = CASES[case][1] if world.alone else 1
    if driver.framework == "jax_flax":
        times = world.size * devices
        loss = dropout_loss(driver, times)
        return np.array(int(abs(loss / alone(times) - 1) > 1e-9))
    loss = dropout_loss(driver, devices)
    if world.alone:  # replicas with the same masks have the same loss
        losses = replica_losses(driver)
        same = len({f"{one:.9e}" for one in losses}) < devices
        same |= abs(loss / (devices * alone(1)) - 1) < 1e-9
        return np.array(int(same))
    bits = np.frombuffer(np.float64(loss).tobytes(), np.int32)
    every = world.gather(bits.copy())
    return np.array(int(len({row.tobytes() for row in every}) < world.size))


def replica_losses(driver: Driver) -> list[float]:
    """The loss of each replica with dropout, after a step with it."""
    images = driver.images(random_images(8, 32, 9), DROPOUT)
    labels = driver.labels(random_labels(8, 9))
    state = driver.state(DROPOUT, shared_start(DROPOUT, SEED), SEED)
    state, _ = driver.train_step(state, images, labels, 0.0)
    return driver.adapter.replica_losses(state, images, labels)


# --- Statistics ---------------------------------------------------------


def one_step(
    driver: Driver, world: World, recipe: Recipe, case: Case
) -> Arrays:
    """What batch norm keeps of a batch, each process with its share."""
    share = world.share(len(case.labels))
    if driver.framework == "jax_flax":
        share = slice(None)  # its arrays are the whole batch
    state = driver.state(recipe, case.params)
    state, _ = driver.train_step(
        state,
        driver.images(case.images[share], recipe),
        driver.labels(case.labels[share]),
        0.0,
    )
    arrays = driver.export(state, recipe)
    return {name: arrays[name] for name in stats_of(recipe.precision)}


def stats_of(precision: str) -> list[str]:
    """Names of what is compared: in bfloat16, of the first layer only."""
    first = "prep" if precision == "bfloat16" else ""
    return [
        row.name
        for row in parameter_table(NET)
        if not row.trained and row.name.startswith(first)
    ]


def stats_cases() -> dict[str, Case]:
    """By precision, a batch whose moments it loses if they are summed in it."""
    return {"float32": cases()["offset"], "bfloat16": between()}


# --- Oracle -------------------------------------------------------------


def expected() -> Arrays:
    """The oracle's one process, under the name of each part."""
    whole = {recipe: expected_run(recipe, probe=False) for recipe in recipes()}
    found: Arrays = {
        **{f"{PREFIX}/float64/dropout/{c}": np.array(0) for c in WITH_STEPS},
        **{f"{PREFIX}/float64/{case}/unequal": np.array(0) for case in CASES},
    }
    for part, (recipe, epochs) in PARTS.items():
        steps, sums = whole[recipe]
        each = recipe.steps_per_epoch
        some = steps[epochs.start * each : epochs.stop * each]
        named = numbered(part, some, sums[epochs.start : epochs.stop])
        found |= {f"{PREFIX}/{name}": value for name, value in named.items()}
    for precision, one in stats_cases().items():
        net = oracle.forward(one.params, one.images, NET, True)
        for case in WITH_STEPS:
            for name in stats_of(precision):
                found[f"{PREFIX}/{precision}/{case}/{name}"] = net.stats[name]
    return found


def recipes() -> set[Recipe]:
    """What the parts train."""
    return {recipe for recipe, _ in PARTS.values()}
