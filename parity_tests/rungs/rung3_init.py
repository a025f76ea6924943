"""Rung 3: the initial weights, shared bit for bit and native in law.

Native draws differ from framework to framework; what they must share is
the distribution. The trace holds sums and a histogram over 8 seeds.
"""

import hashlib

import numpy as np

from common.checkpoint import VELOCITY, shared_start
from common.init import fan_in, init_bound, parameter_table, shared_params
from common.recipe import Recipe
from parity_tests.harness.cases import NET, Arrays
from parity_tests.harness.driver import Driver

FULL = Recipe()
SEEDS = 8
BINS = 4096  # of the histogram, over the whole range that is allowed
KERNELS = [row for row in parameter_table(FULL) if row.role == "kernel"]


def trace(driver: Driver) -> None:
    """Shared weights after a round trip; statistics of native ones."""
    state = driver.state(NET, shared_start(NET, 3))
    driver.put_all("3/shared/float32", driver.export(state, NET))
    counts = {row.name: np.zeros(BINS + 2, np.int64) for row in KERNELS}
    moments = {row.name: [] for row in KERNELS}
    digests = []
    for seed in range(SEEDS):
        arrays = driver.export(driver.state(FULL, seed=seed), FULL)
        digests.append(digest(arrays))
        for row in KERNELS:
            array = arrays[row.name].astype(np.float64)
            moments[row.name].append(summary(array))
            counts[row.name] += histogram(array)
    for row in KERNELS:
        driver.put(f"3/native/counts/{row.name}", counts[row.name])
        driver.put(f"3/native/moments/{row.name}", np.array(moments[row.name]))
    driver.put("3/native/digests/by-seed", np.array(digests))
    again = digest(driver.export(driver.state(FULL), FULL))
    driver.put("3/native/digests/repeat", np.array(again))
    plain = {n: a for n, a in arrays.items() if not is_kernel(n)}
    driver.put_all("3/native/others", plain)


def is_kernel(name: str) -> bool:
    """Whether a tensor, not its velocity, is drawn at random."""
    return name.endswith("kernel") and not name.startswith(VELOCITY)


def summary(array: np.ndarray) -> list[float]:
    """Mean, mean square, extremes, and the product of neighbours' mean."""
    flat = array.ravel()
    return [
        flat.mean(),
        np.square(flat).mean(),
        flat.min(),
        flat.max(),
        (flat[1:] * flat[:-1]).mean(),
    ]


def histogram(array: np.ndarray) -> np.ndarray:
    """Counts in BINS equal bins of the allowed range, and outside of it."""
    bound = init_bound(fan_in(array.shape))
    place = np.floor((array.ravel() / bound + 1) / 2 * BINS).astype(int)
    # The upper end itself belongs to the last bin.
    place[(place == BINS) & (array.ravel() <= bound)] = BINS - 1
    return np.bincount(np.clip(place, -1, BINS) + 1, minlength=BINS + 2)


def digest(arrays: Arrays) -> list[str]:
    """A short sum of the bytes of each kernel."""
    return [
        hashlib.sha256(np.ascontiguousarray(arrays[row.name])).hexdigest()[:16]
        for row in KERNELS
    ]


def expected() -> Arrays:
    """The shared weights, and what is not drawn at random."""
    found = {}
    for row in parameter_table(FULL):
        one = row.role in ("scale", "var")
        value = np.full(row.shape, float(one), np.float32)
        if row.role != "kernel":
            found[f"3/native/others/{row.name}"] = value
        if row.trained:
            zero = np.zeros(row.shape, np.float32)
            found[f"3/native/others/{VELOCITY}{row.name}"] = zero
    for name, value in shared_start(NET, 3).items():
        found[f"3/shared/float32/{name}"] = value
    assert shared_params(NET, 3).keys() <= shared_start(NET, 3).keys()
    return found
