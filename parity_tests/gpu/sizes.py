"""Bytes of a full batch, from two small ones; seconds of the host alone."""

import time
from collections.abc import Callable

FEW, MORE = 8, 16  # images
STEPS = 30  # of which the fastest counts: the first ones make caches


def at_batch(measure: Callable[[int], int], batch: int) -> int:
    """What `measure(images)` would be for a batch; it is affine in images.

    Weights and statistics count once, whatever the batch; each image adds
    the same.
    """
    few = measure(FEW)
    each, rest = divmod(measure(MORE) - few, MORE - FEW)
    if rest:
        raise ValueError("expected the same number of bytes for each image")
    return few + each * (batch - FEW)


def host_seconds(step: Callable[[], object]) -> float:
    """What a step costs the host, if its kernels cost nothing.

    step: of a network so small that its arithmetic takes no time. The time
    is that of this thread, so other programs change it little.
    """
    found = []
    for _ in range(STEPS):
        start = time.thread_time()
        step()
        found.append(time.thread_time() - start)
    return min(found)
