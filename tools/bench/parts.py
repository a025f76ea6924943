"""The pieces of the network alone, timed with the training's own layers.

What a piece costs alone is not what it costs in a compiled program, which
may put several into one; but the sum shows where a step's time can go.
"""

import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tools.bench.count import Conv, convolutions
from tools.bench.plan import DROPOUT_RATE, Job
from tools.bench.training import Training

# Calls that are timed, after one that is not: as many as fit into the time.
FEWEST, MOST, MILLISECONDS = 3, 20, 200.0
TIMERS = {
    "pytorch": "tools.bench.parts_pytorch",
    "tensorflow_eager": "tools.bench.parts_tensorflow",
    "jax_flax": "tools.bench.parts_jax",
}


@dataclass(frozen=True)
class Part:
    """One piece, at the place where it first occurs in the network."""

    kind: str  # "conv", "batch norm", "ReLU", "dropout", "max pool",
    # "sum" of a residual, "head" with the loss
    block: str  # the ConvBN or the layer whose part it is
    channels: int  # of its input
    side: int  # of its input
    label: str
    count: int  # in the network
    flop: int = 0  # forward, one image

    @property
    def needs_input_grad(self) -> bool:
        """False where the input is the image itself."""
        return not (self.kind == "conv" and self.block == "prep")


def network_parts(recipe) -> list[Part]:
    """All pieces that differ in kind or shape, in network order."""
    convs = convolutions(recipe)
    found = conv_parts(convs) + point_parts(convs)
    for conv in convs:
        layer, _, name = conv.block.partition(".")
        c, side = conv.c_out, conv.side
        place = f"{c}, {side}x{side}"
        if name == "conv_bn":
            label = f"max pool {place}"
            found.append(Part("max pool", layer, c, side, label, 1))
        if name == "res2":
            found.append(Part("sum", layer, c, side, f"sum {place}", 1))
    last = convs[-1]
    label = "head and loss"
    found.append(Part("head", "", last.c_out, last.side, label, 1))
    return found


def conv_parts(convs: list[Conv]) -> list[Part]:
    """The convolutions of different shapes."""
    counts = Counter(conv.label for conv in convs)
    first = {conv.label: conv for conv in reversed(convs)}
    return [
        Part(
            kind="conv",
            block=first[label].block,
            channels=first[label].c_in,
            side=first[label].side,
            label=f"conv {label}",
            count=count,
            flop=first[label].flop,
        )
        for label, count in counts.items()
    ]


def point_parts(convs: list[Conv]) -> list[Part]:
    """What follows each convolution, by the shape of its output."""
    shapes = Counter((conv.c_out, conv.side) for conv in convs)
    first = {(c.c_out, c.side): c.block for c in reversed(convs)}
    return [
        Part(kind, first[shape], *shape, f"{kind} {c}, {side}x{side}", count)
        for kind in ("batch norm", "ReLU", "dropout")
        for shape, count in shapes.items()
        for c, side in [shape]
    ]


def milliseconds(call: Callable, wait: Callable) -> list[float]:
    """The times of some calls."""
    wait(call())
    found = []
    while len(found) < FEWEST or (
        len(found) < MOST and sum(found) < MILLISECONDS
    ):
        start = time.perf_counter()
        wait(call())
        found.append(1000 * (time.perf_counter() - start))
    return found


def measure(job: Job, folder: Path) -> dict:
    """Rows of the network's parts and, of PyTorch, kernels."""
    training = Training(job, folder)
    timers = import_module(TIMERS[job.framework])
    rows = []

    def add(label: str, name: str, call: Callable, count=1, flop=0) -> None:
        times = milliseconds(call, training.wait)
        gflop = flop * job.batch_size / 1e9
        rate = 1000 * gflop / statistics.median(times) if flop else None
        rows.append(
            {
                "framework": job.framework,
                "width": job.width,
                "precision": job.precision,
                "part": label,
                "pass": name,
                "count": count,
                "milliseconds": times,
                "gflops": rate,
            }
        )

    for part in network_parts(training.recipe):
        forward, backward = timers.passes(part, training, DROPOUT_RATE)
        add(part.label, "forward", forward, part.count, part.flop)
        # For the kernel, and where it is wanted for the input.
        flop = part.flop * (1 + part.needs_input_grad)
        if backward:
            add(part.label, "backward", backward, part.count, flop)
    add("optimizer", "forward", timers.update(training))
    add("augmentation", "forward", lambda: next(training.batches(1)))
    # Last: it changes the weights, and in JAX gives up the old state.
    add("whole step", "forward", lambda: training.steps(1))
    return {"parts": rows, "kernels": timers.kernels(training, job)}
