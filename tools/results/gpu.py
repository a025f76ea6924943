"""The table of docs/gpu.md: what is known of a step on a GPU, without one.

Its figures are those of `nox -s gpu-paper`, published in results/gpu.json.
Times are reckoned from them by a roofline, whose numbers are below.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from common.environments import TITLES
from common.init import parameter_table
from common.recipe import PRESETS
from common.run.about import Epoch
from common.run.records import RunRecord, find_runs
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


@dataclass(frozen=True)
class Way:
    """One way to train, and what is known of a step of it; None: nothing.

    Each is a number and how it is known. A call of the host is an operation
    that Python asks for, or a compiled program that it starts.
    """

    name: str
    calls: tuple[float, str]
    kernels: tuple[float, str] | None
    crossings: tuple[float, str]
    with_dropout: tuple[float, str]
    copies: tuple[float, str]  # of an epoch, in both directions
    moved: tuple[float, str] | None  # bytes
    memory: tuple[float, str] | None  # bytes
    host: tuple[float, str] | None  # seconds


def a_step(seen: dict, count: int) -> float:
    """Copies of a step, of what was seen in `count` of them."""
    return sum(seen["copies"].values()) / count


def weights() -> int:
    """Bytes of weights, gradients, velocity and padded images."""
    trained = sum(row.size for row in parameter_table(RECIPE) if row.trained)
    side = 32 + 2 * RECIPE.pad_each_side
    images = RECIPE.train_images * side * side * 3
    return 3 * 4 * trained + images + RECIPE.test_images * 32 * 32 * 3


def tensorflow(found: dict) -> Iterable[Way]:
    """TensorFlow's two modes. In each case five steps were followed."""
    full, steps = found["full"]["bfloat16"], 5
    for mode in ("eager", "compiled"):
        plain = found["cases"][f"{mode} {PLAIN}"]
        masked = found["cases"][f"{mode} {DROPOUT}"]["train step"]
        step = plain["train step"]
        eager = mode == "eager"
        yield Way(
            f"TensorFlow, {mode}",
            (step["ops"] / steps + 1 if eager else 2, "proven"),
            (step["kernels"] / steps, "read"),
            (a_step(step, steps), "proven"),
            (a_step(masked, steps), "proven"),
            (sum(plain["epoch"]["copies"].values()), "proven"),
            (full["bytes moved"], "read"),
            (weights() + full["bytes kept"], "estimated"),
            (full[f"host seconds, {mode}"], "measured"),
        )


def pytorch(found: dict) -> Iterable[Way]:
    """PyTorch's two modes."""
    cases, full = found["eager"], found["full"]["bfloat16"]
    on_meta = cases["float32 dropout 0, on meta"]
    masked = cases["float32 dropout 0.05, on meta"]["train step"]
    seen = cases[f"{PLAIN}, on cpu"]
    step, batch = seen["train step"], seen["batches"]
    sums = 2  # that come back at the end of an epoch
    known = {
        "crossings": (a_step(on_meta["train step"], 1), "proven"),
        "with_dropout": (a_step(masked, 1), "proven"),
        "copies": (a_step(on_meta["batches"], 1) + sums, "proven"),
    }
    yield Way(
        "PyTorch, eager",
        calls=(step["ops"] + batch["ops"] / 5, "proven"),
        kernels=(step["kernels"] + batch["kernels"] / 5, "read"),
        moved=(full["bytes moved"], "read"),
        memory=(weights() + full["bytes kept"], "estimated"),
        host=(full["host seconds"], "measured"),
        **known,
    )
    # Forward, backward, the fused update.
    graphs = full.get("inductor")
    yield Way(
        "PyTorch, compiled",
        calls=(batch["ops"] / 5 + 3, "proven"),
        kernels=graphs
        and (graphs["kernels"] + 1 + batch["kernels"] / 5, "read"),
        moved=graphs and (graphs["bytes moved"], "read"),
        memory=None,
        host=None,
        **known,
    )


def jax(found: dict) -> Iterable[Way]:
    """JAX's whole epoch as one program."""
    epoch = found["bfloat16"]["epoch"]
    masked = found[DROPOUT]["epoch"]
    memory = epoch["argument bytes"] + epoch["temporary bytes"]
    yield Way(
        "JAX, compiled",
        (0, "proven"),
        (epoch["kernels"], "proven"),
        (sum(epoch["crossings"].values()), "proven"),
        (sum(masked["crossings"].values()), "proven"),
        (7 + 2, "read"),
        (epoch["bytes moved"], "proven"),
        (memory, "proven"),
        (0.0, "proven"),
    )


def seconds(way: Way, card: str) -> tuple[str, str] | None:
    """Seconds of 24 epochs: from all at once, to one after the other."""
    if way.moved is None:
        return None
    rate, width = CARDS[card]
    flop = 1e9 * gflop_per_image(RECIPE) * RECIPE.batch_size
    arithmetic = flop / (SHARE_OF_ARITHMETIC * rate)
    memory = way.moved[0] / (SHARE_OF_MEMORY * width)
    host = way.host[0] if way.host else 0.0
    each = (max(arithmetic, memory, host), max(arithmetic + memory, host))
    low, high = (RECIPE.total_steps * time for time in each)
    text = (
        f"{low:.0f} to {high:.0f}"
        if f"{low:.0f}" != f"{high:.0f}"
        else (f"{low:.0f}")
    )
    return text, "estimated"


def measured(
    runs: list[RunRecord], way: Way, what: Callable[[Epoch], float]
) -> tuple[str, str] | None:
    """A figure of the last epoch of the recipe's runs on an H100, published.

    The median and the range, and of how many runs if not of one.
    """
    found = [
        what(run.rows[-1])
        for run in runs
        if run.about.recipe == RECIPE
        and f"{TITLES[run.about.framework]}, {run.about.mode}" == way.name
        and "H100" in run.about.machine.device
        and run.about.machine.devices == 1
    ]
    if not found:
        return None
    of = f", {len(found)} runs" if len(found) > 1 else ""
    return spread(found, "{:.0f}") + of, "measured"


def gpu_table() -> str:
    """A row for each thing to know, a column for each way to train."""
    if not GPU.exists():
        return "Nothing is published yet."
    report = read_whole(GPU, Gpu)
    found, (runs, _) = report["frameworks"], find_runs(RESULTS)
    ways = [
        *tensorflow(found["tensorflow_eager"]),
        *pytorch(found["pytorch"]),
        *jax(found["jax_flax"]),
    ]
    rows = [
        ("calls of the host a step", lambda w: whole(w.calls)),
        ("kernels a step", lambda w: whole(w.kernels)),
        ("crossings a step", lambda w: whole(w.crossings)),
        ("crossings a step, with dropout", lambda w: whole(w.with_dropout)),
        ("copies an epoch", lambda w: whole(w.copies)),
        ("bytes moved a step, GB", lambda w: scaled(w.moved, 1e-9)),
        ("memory, GB", lambda w: scaled(w.memory, 1e-9)),
        ("the host's time a step, ms", lambda w: scaled(w.host, 1e3)),
        ("24 epochs on an H100, s", lambda w: seconds(w, "H100")),
        ("24 epochs on an H200, s", lambda w: seconds(w, "H200")),
        (
            "24 epochs on an H100, measured, s",
            lambda w: measured(runs, w, lambda row: row.train_seconds),
        ),
        (
            "the warm-up before them, measured, s",
            lambda w: measured(runs, w, lambda row: row.compile_seconds),
        ),
    ]
    table = markdown_table(
        ["", *(way.name for way in ways)],
        [[head, *(cell(make(way)) for way in ways)] for head, make in rows],
    )
    commit = (report["git_commit"] or "not known")[:12]
    return (
        f"{table}\n\nBy `nox -s gpu-paper` at commit {commit}; the host's time "
        f"on {report['processor']}."
    )


Cell = tuple[str, str] | None


def whole(known: tuple[float, str] | None) -> Cell:
    """A count."""
    return known and (f"{known[0]:,.0f}", known[1])


def scaled(known: tuple[float, str] | None, by: float) -> Cell:
    """A size or a time in another unit."""
    return known and (f"{known[0] * by:.1f}", known[1])


def cell(known: Cell) -> str:
    """The text of a cell, with how it is known."""
    return f"{known[0]} *{known[1]}*" if known else "not known"
