"""What a failure may mean: traps by slug, and where each one shows.

The slugs are those of the differences table in the README.
"""

from fnmatch import fnmatchcase

# slug: (one line, patterns of the names of failing tensors)
TRAPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "bn-eps": (
        "another eps in batch norm: 1e-5 here; Keras has 1e-3, its fused "
        "wrapper lifts what is below 1.001e-5",
        ("4/*/lowvar*", "4/*/train/*", "4/*/eval/*"),
    ),
    "bn-momentum": (
        "the share of the old running statistic taken for the share of the "
        "new one, or a default of 0.99",
        ("4/*/stats?/*", "7/*.bn.mean", "7/*.bn.var"),
    ),
    "bn-running-var": (
        "the biased variance kept where the unbiased one, n/(n-1), is meant",
        ("4/*/stats?/*.bn.var", "7/*.bn.var"),
    ),
    "bn-fast-variance": (
        "E[x^2] - E[x]^2 instead of two passes",
        ("4/*/offset/*",),
    ),
    "bn-half": (
        "batch norm computed or kept in bfloat16",
        ("0/bfloat16/*", "4/bfloat16/*"),
    ),
    "bn-x64": (
        "running statistics that stay float32 in a float64 run",
        ("0/float64/*",),
    ),
    "bn-update-owner": (
        "running statistics not stored after the step, or stored twice",
        ("4/*/stats?/*", "7/*.bn.mean", "7/*.bn.var"),
    ),
    "train-eval": (
        "batch statistics or dropout used in evaluation, or the reverse",
        ("4/*/eval*", "4/*/dropout*/eval*", "7/*/eval*", "8/*"),
    ),
    "nesterov-lr": (
        "the rate inside the velocity, or heavy ball instead of Nesterov",
        ("6/*/impulse/*", "6/*/random/*", "7/*"),
    ),
    "weight-decay-coupling": (
        "decay taken off the weight instead of added to the gradient",
        ("6/*/decay/*", "7/*"),
    ),
    "weight-decay-half": (
        "twice or half the decay: an L2 penalty with or without its 1/2",
        ("6/*/decay/*", "7/*"),
    ),
    "weight-decay-rebind": (
        "`g += ...` in a loop that decays nothing",
        ("6/*/decay/*", "7/*"),
    ),
    "weight-decay-mask": (
        "some tensors, often those of batch norm, left out of the decay",
        ("6/*/decay/*", "7/*"),
    ),
    "loss-reduction": (
        "mean where the sum over the batch is meant, or another logit scale",
        ("4/*loss*", "5/*"),
    ),
    "labels-shape": (
        "labels (N, 1) that broadcast against (N,)",
        ("2/*labels*", "4/*correct*", "4/*loss*", "7/*correct*"),
    ),
    "lr-step-index": (
        "the schedule a step early or late, or with other steps per epoch",
        ("1/*", "7/*"),
    ),
    "lr-retrace": (
        "a rate that is fixed when the step is compiled",
        ("1/*", "7/*compiled*"),
    ),
    "short-batch": (
        "the last, partial batch dropped or filled up",
        ("2/*", "5/*/short/*", "7/*", "8/*"),
    ),
    "conv-padding": (
        "no padding, or padding on one side only",
        ("4/*/train/*", "4/*/eval/*"),
    ),
    "kernel-layout": (
        "a kernel transposed or flipped on its way in or out",
        ("0/*table*", "3/shared/*", "4/*/train/*", "4/*/eval/*", "7/*/hand*"),
    ),
    "init-default": (
        "another distribution at start: Glorot, LeCun, normal",
        ("3/native/*",),
    ),
    "init-fan": (
        "fan_in from the wrong axes",
        ("3/native/*",),
    ),
    "dropout-rng": (
        "dropout's place, rate, scale, or a mask that is not the step's own",
        ("4/*/dropout*",),
    ),
    "augment-granularity": (
        "one offset or one coin for the whole batch",
        ("2/*",),
    ),
    "pad-mode": (
        "padding by zeros or with the edge repeated",
        ("2/*pad*", "2/*batch*"),
    ),
    "pool-ties": (
        "ties in the pool split, or those of the head not split",
        ("5/*/ties*", "5/*/zeros*"),
    ),
    "relu-zero": (
        "a derivative of 1/2 or 1 at exactly 0",
        ("5/*/zeros/*",),
    ),
    "tf32": (
        "convolutions or products in TF32 on a GPU",
        ("4/float32/*", "5/float32/*", "7/float32/*"),
    ),
    "determinism": (
        "two runs on one machine that differ",
        ("7/*repeat*", "3/native/repeat*"),
    ),
    "velocity-meaning": (
        "a velocity of other sign or scale, or one that is not loaded",
        ("6/*", "7/*velocity*", "7/*/hand*"),
    ),
}


def looks_like(tensor: str) -> list[tuple[str, str]]:
    """Slug and line of each trap that shows in a tensor of this name.

    The one whose pattern is the most particular comes first.
    """
    found = []
    for slug, (line, patterns) in TRAPS.items():
        hits = [p for p in patterns if fnmatchcase(tensor, p)]
        if hits:
            found.append((max(len(p) for p in hits), slug, line))
    found.sort(key=lambda item: -item[0])
    return [(slug, line) for _, slug, line in found]
