"""Rung 7, second pass: go on from the checkpoint of each framework.

Each framework loads what every one has saved after 10 steps, its own too,
trains 10 more, and must end where 20 steps without a break end.
"""

from common.environments import FRAMEWORKS
from parity_tests.harness.driver import Driver
from parity_tests.rungs.rung7_trajectory import HALF, RECIPE, SEED, flatten, run


def trace(driver: Driver) -> None:
    """The second half, once for each framework's file."""
    recipe = RECIPE
    for origin in FRAMEWORKS:
        path = driver.folder / f"{origin}.safetensors"
        state = driver.state(recipe, seed=SEED)
        state = driver.checkpoint.load(path, state, recipe)
        state = driver.adapter.settle(state, driver.device)
        driver.put(f"7/float64/exchange/{origin}/step", int(state.step))
        steps, state, sums = run(
            driver,
            recipe,
            driver.adapter.MODE,
            epochs=range(HALF, recipe.epochs),
            state=state,
        )
        # Numbered as in the run without a break.
        before = recipe.total_steps // 2
        numbered = [{}] * before + [{}] * (len(steps) - 1) + steps[-1:]
        found = flatten(numbered, [{}] * HALF + sums)
        driver.put_all(f"7/float64/exchange/{origin}", found)
        driver.put(f"7/float64/exchange/{origin}/end", int(state.step))
