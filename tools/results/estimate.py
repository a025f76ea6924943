"""A paper model of many GPUs: an estimate, from assumptions that it prints.

What the recipe decides (the bytes of a gradient, the number of sums, the
updates of an epoch) is computed from it. The rest stands in `ASSUMED`, and of
that only the time of an update on one GPU was measured.
"""

from dataclasses import dataclass, replace

from common.init import conv_bn_channels, parameter_table
from common.recipe import PRESETS, Recipe
from tools.bench.sheet import markdown_table

RECIPE = PRESETS["dawnbench"]
COUNTS = (1, 8, 64, 512)  # of GPUs


@dataclass(frozen=True)
class Link:
    """What a sum over all GPUs costs."""

    latency: float  # seconds of a sum of a few hundred numbers
    bandwidth: float  # bytes a second of a large one, for each GPU


@dataclass(frozen=True)
class Assumed:
    """What is assumed of an H100, in bfloat16, and of what joins many."""

    # Seconds of a step of 512 images on one GPU: those of PyTorch, compiled, as
    # published in results/, over the 2,352 steps of `dawnbench`.
    step: float = 7.2e-3
    # Of these, what does not become less with fewer images: the start of each
    # kernel, the optimizer.
    fixed: float = 1.6e-3
    # By the most GPUs: in one machine; over 8 machines; over 64.
    links: tuple[tuple[int, Link], ...] = (
        (8, Link(12e-6, 250e9)),
        (64, Link(40e-6, 200e9)),
        (512, Link(60e-6, 200e9)),
    )


ASSUMED = Assumed()


def gradient_bytes(recipe: Recipe) -> int:
    """The bytes that are summed for each update; gradients are float32."""
    return 4 * sum(row.size for row in parameter_table(recipe) if row.trained)


def norm_sums(recipe: Recipe) -> int:
    """How many sums over all GPUs the batch norms of one update need.

    Each has two forward, the sum and the squared distances from the mean,
    and the gradient of each backward.
    """
    return 4 * len(conv_bn_channels(recipe))


def step_seconds(count: int, batch_size: int) -> float:
    """How long `count` GPUs take for an update with a batch, all together.

    Nothing is assumed to overlap: this is on the careful side.
    """
    image = (ASSUMED.step - ASSUMED.fixed) / RECIPE.batch_size
    seconds = ASSUMED.fixed + image * batch_size / count
    if count > 1:
        link = next(link for most, link in ASSUMED.links if count <= most)
        seconds += norm_sums(RECIPE) * link.latency
        # A ring sends each number twice, but for the last of its parts.
        sent = 2 * (count - 1) / count * gradient_bytes(RECIPE)
        seconds += sent / link.bandwidth
    return seconds


def smallest_batch(recipe: Recipe) -> int:
    """The images of the smallest batch, of training or of evaluation."""
    size = recipe.batch_size
    return min(
        images % size or size
        for images in (recipe.train_images, recipe.test_images)
    )


def row(count: int, batch_size: int) -> list[str]:
    """The cells of one row: so many GPUs with a batch."""
    recipe = replace(RECIPE, batch_size=batch_size)
    cells = [f"{count}", f"{batch_size:,}", f"{batch_size / count:,.0f}"]
    if (few := smallest_batch(recipe)) < count:
        reason = f"refused: a last, partial batch has {few} images"
        return [*cells, reason, *[""] * 5]
    seconds = step_seconds(count, batch_size)
    # Images a second, as a multiple of one GPU's with the recipe's batch.
    times = batch_size / seconds / (RECIPE.batch_size / ASSUMED.step)
    lr = RECIPE.peak_lr * batch_size / RECIPE.batch_size
    return [
        *(*cells, f"{1e3 * seconds:.2f} ms", f"{times:.1f}"),
        f"{times / count:.0%}",
        f"{seconds * recipe.total_steps:.1f} s",
        f"{recipe.steps_per_epoch}",
        f"{lr:.3g}",
    ]


def estimate_table() -> str:
    """The estimate for each number of GPUs, with what it assumes."""
    fixed = [(count, RECIPE.batch_size) for count in COUNTS]
    grown = [
        (count, min(count * RECIPE.batch_size, RECIPE.train_images))
        for count in COUNTS[1:]
    ]
    heads = ("GPUs", "batch", "images a GPU", "update", "times one GPU")
    heads += ("of ideal", f"{RECIPE.epochs} epochs", "updates an epoch")
    table = markdown_table(
        (*heads, "`--peak-lr` by the linear rule"),
        [row(*pair) for pair in [*fixed, *grown]],
    )
    return f"{table}\n\n{assumptions()}"


def assumptions() -> str:
    """What the table was computed from, in sentences."""
    parts = []
    for most, link in ASSUMED.links:
        parts.append(
            f"up to {most} GPUs {1e6 * link.latency:.0f} µs for a small sum "
            f"and {link.bandwidth / 1e9:.0f} GB/s for a large one"
        )
    share = ASSUMED.fixed / ASSUMED.step
    return (
        "**An estimate, not a measurement.** Assumed: H100 GPUs in machines "
        f"of 8, bfloat16; {1e3 * ASSUMED.step:g} ms for an update of "
        f"{RECIPE.batch_size} images on one of them, as PyTorch's training "
        f"took, {share:.0%} of which do not shrink with the batch; "
        f"{'; '.join(parts)}; nothing overlaps. "
        f"Computed from the recipe: {norm_sums(RECIPE)} small sums an update, "
        f"and {gradient_bytes(RECIPE) / 1e6:.1f} MB of gradients."
    )
