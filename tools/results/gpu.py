"""The table of docs/gpu.md: what is known of a step on a GPU, without one.

Its figures are those of `nox -s gpu-paper`, published in results/gpu.json.
Times are reckoned from them by a roofline, whose numbers are below.
"""

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter

from common.environments import TITLES
from common.init import parameter_table
from common.recipe import PRESETS
from common.run.about import Epoch
from common.run.records import RunRecord, find_runs, was_alone
from tools.bench.count import gflop_per_image
from tools.bench.sheet import markdown_table
from tools.bench.stats import spread
from tools.results.publish import GPU, RESULTS
from tools.results.reports import Gpu, read_whole

RECIPE = replace(PRESETS["dawnbench"], precision="bfloat16")
# NVIDIA's data sheets, of the SXM cards: floating-point operations a second in
# bfloat16, dense, and bytes a second.
CARDS = {"H100": (989e12, 3.35e12), "H200": (989e12, 4.8e12)}
# What programs reach of these: assumed.
SHARE_OF_ARITHMETIC, SHARE_OF_MEMORY = 0.5, 0.8
DROPOUT = "bfloat16 dropout 0.05"
PLAIN = "bfloat16 dropout 0"
UNKNOWN = "not known"


# A way to train: its name, and what is known of a step of it, each a number and
# how it is known. A call of the host is an operation that Python asks for, or a
# compiled program that it starts.
Way = dict[str, tuple[float, str]]
# By what is known: the row's head, the factor to its unit, and its form.
ROWS = {
    "calls": ("calls of the host a step", 1, "{:,.0f}"),
    "kernels": ("kernels a step", 1, "{:,.0f}"),
    "crossings": ("crossings a step", 1, "{:,.0f}"),
    "with dropout": ("crossings a step, with dropout", 1, "{:,.0f}"),
    "copies": ("copies an epoch", 1, "{:,.0f}"),  # in both directions
    "moved": ("bytes moved a step, GB", 1e-9, "{:.1f}"),
    "memory": ("memory, GB", 1e-9, "{:.1f}"),
    "host": ("the host's time a step, ms", 1e3, "{:.1f}"),
}


def a_step(seen: dict, count: int) -> float:
    """Copies of a step, of what was seen in `count` of them."""
    return sum(seen["copies"].values()) / count


def weights() -> int:
    """Bytes of weights, gradients, velocity and padded images."""
    trained = sum(row.size for row in parameter_table(RECIPE) if row.trained)
    side = 32 + 2 * RECIPE.pad_each_side
    images = RECIPE.train_images * side * side * 3
    return 3 * 4 * trained + images + RECIPE.test_images * 32 * 32 * 3


def tensorflow(found: dict) -> dict[str, Way]:
    """TensorFlow's two modes. In each case five steps were followed."""
    full, steps, ways = found["full"]["bfloat16"], 5, {}
    for mode in ("eager", "compiled"):
        plain = found["cases"][f"{mode} {PLAIN}"]
        masked = found["cases"][f"{mode} {DROPOUT}"]["train step"]
        step = plain["train step"]
        calls = step["ops"] / steps + 1 if mode == "eager" else 2
        ways[f"TensorFlow, {mode}"] = {
            "calls": (calls, "proven"),
            "kernels": (step["kernels"] / steps, "read"),
            "crossings": (a_step(step, steps), "proven"),
            "with dropout": (a_step(masked, steps), "proven"),
            "copies": (sum(plain["epoch"]["copies"].values()), "proven"),
            "moved": (full["bytes moved"], "read"),
            "memory": (weights() + full["bytes kept"], "estimated"),
            "host": (full[f"host seconds, {mode}"], "measured"),
        }
    return ways


def pytorch(found: dict) -> dict[str, Way]:
    """PyTorch's two modes."""
    cases, full = found["eager"], found["full"]["bfloat16"]
    on_meta = cases["float32 dropout 0, on meta"]
    masked = cases["float32 dropout 0.05, on meta"]["train step"]
    seen = cases[f"{PLAIN}, on cpu"]
    step, batch = seen["train step"], seen["batches"]
    sums = 2  # that come back at the end of an epoch
    known = {
        "crossings": (a_step(on_meta["train step"], 1), "proven"),
        "with dropout": (a_step(masked, 1), "proven"),
        "copies": (a_step(on_meta["batches"], 1) + sums, "proven"),
    }
    eager = {
        "calls": (step["ops"] + batch["ops"] / 5, "proven"),
        "kernels": (step["kernels"] + batch["kernels"] / 5, "read"),
        "moved": (full["bytes moved"], "read"),
        "memory": (weights() + full["bytes kept"], "estimated"),
        "host": (full["host seconds"], "measured"),
    }
    # Forward, backward, the fused update.
    compiled = {"calls": (batch["ops"] / 5 + 3, "proven")}
    if graphs := full.get("inductor"):
        kernels = graphs["kernels"] + 1 + batch["kernels"] / 5
        compiled["kernels"] = kernels, "read"
        compiled["moved"] = graphs["bytes moved"], "read"
    return {
        "PyTorch, eager": known | eager,
        "PyTorch, compiled": known | compiled,
    }


def jax(found: dict) -> dict[str, Way]:
    """JAX's whole epoch as one program."""
    epoch = found["bfloat16"]["epoch"]
    known = {
        "calls": 0,
        "kernels": epoch["kernels"],
        "crossings": sum(epoch["crossings"].values()),
        "with dropout": sum(found[DROPOUT]["epoch"]["crossings"].values()),
        "moved": epoch["bytes moved"],
        "memory": epoch["argument bytes"] + epoch["temporary bytes"],
        "host": 0.0,
    }
    proven = {name: (value, "proven") for name, value in known.items()}
    return {"JAX, compiled": proven | {"copies": (7 + 2, "read")}}


def seconds(way: Way, card: str) -> str:
    """Seconds of 24 epochs: from all at once, to one after the other."""
    if "moved" not in way:
        return UNKNOWN
    rate, width = CARDS[card]
    flop = 1e9 * gflop_per_image(RECIPE) * RECIPE.batch_size
    arithmetic = flop / (SHARE_OF_ARITHMETIC * rate)
    memory = way["moved"][0] / (SHARE_OF_MEMORY * width)
    host = way.get("host", (0.0,))[0]
    each = (max(arithmetic, memory, host), max(arithmetic + memory, host))
    both = [f"{RECIPE.total_steps * time:.0f}" for time in each]
    return f"{' to '.join(dict.fromkeys(both))} *estimated*"


def measured(
    runs: list[RunRecord], way: str, what: Callable[[Epoch], float]
) -> str:
    """A figure of the last epoch of the recipe's runs on an H100, published.

    Of those that were alone. The median and the range, and of how many runs
    if not of one.
    """
    found = [
        what(run.rows[-1])
        for run in runs
        if run.about.recipe == RECIPE
        and f"{TITLES[run.about.framework]}, {run.about.mode}" == way
        and "H100" in run.about.machine.device
        and run.about.machine.devices == 1
        and was_alone(run.rows) is not False
    ]
    if not found:
        return UNKNOWN
    of = f", {len(found)} runs" if len(found) > 1 else ""
    return f"{spread(found, '{:.0f}')}{of} *measured*"


def gpu_table() -> str:
    """A row for each thing to know, a column for each way to train."""
    report = read_whole(GPU, Gpu)
    found, (runs, _) = report["frameworks"], find_runs(RESULTS)
    ways = {
        **tensorflow(found["tensorflow_eager"]),
        **pytorch(found["pytorch"]),
        **jax(found["jax_flax"]),
    }
    rows = [
        [head, *(cell(way.get(key), *shape) for way in ways.values())]
        for key, (head, *shape) in ROWS.items()
    ]
    for card in CARDS:
        times = [seconds(way, card) for way in ways.values()]
        rows.append([f"24 epochs on an {card}, s", *times])
    for head, name in (
        ("24 epochs on an H100, measured, s", "train_seconds"),
        ("the warm-up before them, measured, s", "compile_seconds"),
    ):
        of = attrgetter(name)
        rows.append([head, *(measured(runs, way, of) for way in ways)])
    return (
        f"{markdown_table(['', *ways], rows)}\n\nBy `nox -s gpu-paper` at "
        f"commit {report['git_commit'][:12]}; the host's time on "
        f"{report['processor']}. {assumptions()}"
    )


def assumptions() -> str:
    """What the estimated times assume of the cards, in a sentence."""
    speeds = "; ".join(
        f"{card}: {flops / 1e12:.0f} TFLOP/s, {width / 1e12:g} TB/s"
        for card, (flops, width) in CARDS.items()
    )
    return (
        f"Estimated times assume {SHARE_OF_ARITHMETIC:.0%} of a card's "
        f"arithmetic and {SHARE_OF_MEMORY:.0%} of its bandwidth ({speeds}; "
        "both SXM, by their data sheets)."
    )


def cell(known: tuple[float, str] | None, factor: float, form: str) -> str:
    """A number in its unit, with how it is known."""
    if known is None:
        return UNKNOWN
    return f"{form.format(known[0] * factor)} *{known[1]}*"
