"""Several processes in PyTorch: world, place, sums.

Read beside tensorflow_eager/parallel.py and jax_flax/parallel.py. Here:
  - `torchrun` starts a process for each device; each computes on its share of
    a batch
  - numbers are summed where they are needed: the moments of batch norm in the
    forward pass, the gradients in the backward pass
  - DistributedDataParallel averages gradients; a hook makes that a sum
"""

import os
from datetime import timedelta
from functools import partial
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
import torch.distributed.nn.functional  # before the group: see leave_world
from torch import Tensor, nn
from torch.distributed import _functional_collectives as collectives
from torch.distributed.distributed_c10d import _set_pg_timeout
from torch.nn.parallel import DistributedDataParallel

from common.checkpoint import Arrays
from common.draws import Draws
from common.errors import DeviceError, UsageError
from common.run.together import let_abort_mean_loss
from common.world import ALONE, ANSWER_SECONDS, START_SECONDS, World

Rows = TypeVar("Rows", Tensor, Draws)

# --- World --------------------------------------------------------------


def join_world(device: str, devices: int) -> World:
    """Join the processes that torchrun has started; ALONE without it.

    device, devices: of the flags. Raises UsageError for several devices of
    one process, DeviceError if there are too few GPUs, or what PyTorch raises
    if the processes do not find each other.
    """
    if devices > 1:
        raise UsageError(
            f"--devices {devices}: PyTorch has one device in each process; "
            f"start them by torchrun --nproc-per-node {devices}"
        )
    if int(os.environ.get("WORLD_SIZE") or 1) == 1:
        return ALONE
    gpu = device != "cpu" and torch.cuda.is_available()
    if gpu:
        if "LOCAL_RANK" not in os.environ:
            raise UsageError(
                "LOCAL_RANK is not set: it tells a process which GPU of its "
                "machine to take; torchrun sets it"
            )
        place, here = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if place >= here:
            raise DeviceError(
                f"process {place} of this machine has no GPU: the machine has "
                f"{here}; start torchrun --nproc-per-node {here}"
            )
        torch.cuda.set_device(place)
    # NCCL sums the tensors of a GPU; gloo those of a CPU, which there are
    # beside a GPU, too. By default PyTorch takes one of them alone.
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if gpu else "gloo",
        timeout=timedelta(seconds=START_SECONDS),
    )
    if gpu:
        let_abort_mean_loss()  # as NCCL aborts where an answer is missing
    return current_world()


def current_world() -> World:
    """Return the world that was joined."""
    if not in_world():
        return ALONE
    return World(
        dist.get_rank(),
        dist.get_world_size(),
        backend="nccl" if "nccl" in dist.get_backend_config() else "gloo",
        is_lost=is_lost,
        gather=gather_over_world,
        spread=spread_state,
        settle=partial(_set_pg_timeout, timedelta(seconds=ANSWER_SECONDS)),
    )


def in_world() -> bool:
    """Tell whether several processes train together."""
    return dist.is_initialized()


def leave_world(world: World) -> None:
    """Wait for the other processes, and part from them."""
    if not world.alone:
        dist.barrier()
        # This ends gloo's threads only if nothing refers to the group any
        # more, and one that frees a tensor while Python ends aborts the
        # process. An import of torch.distributed.nn.functional from here on,
        # as DistributedDataParallel does it, puts the group in its defaults.
        dist.destroy_process_group()


def is_lost(error: BaseException) -> bool:
    """Tell whether an error says that another process does not answer."""
    words = str(error).lower()
    named = any(word in words for word in ("gloo", "nccl", "closed by peer"))
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and named
    )


def gather_over_world(numbers: np.ndarray) -> np.ndarray:
    """Return the numbers of every process. (n,) int32 -> (size, n)"""
    mine = torch.from_numpy(numbers)
    every = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(every, mine)
    return torch.stack(every).numpy()


# --- Place --------------------------------------------------------------


def spread_state(arrays: Arrays) -> Arrays:
    """Give every process the arrays of the first, of equal shapes."""
    tensors = {name: torch.tensor(a) for name, a in arrays.items()}
    for tensor in tensors.values():
        dist.broadcast(tensor, src=0)
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def share_batch(rows: Rows) -> Rows:
    """Return this process's share of a batch: of images, labels or draws."""
    world = current_world()
    return rows if world.alone else rows[world.share(len(rows))]


# --- Sums ---------------------------------------------------------------


def sum_over_world(x: Tensor) -> Tensor:
    """Sum a tensor over all processes, element by element; differentiable.

    The module's name is private, but it is PyTorch's only all-reduce that can
    be both differentiated and compiled.
    """
    return collectives.all_reduce(x, "sum", group_name()) if in_world() else x


@torch.compiler.assume_constant_result
def group_name() -> str:
    """Return the name of the group of all processes.

    A compiled program that is given the group itself never lets go of it.
    """
    world = dist.group.WORLD  # not None: it is initialized
    return world.group_name  # type: ignore[union-attr]


def sum_gradients(model: nn.Module) -> nn.Module:
    """Return the model such that backward() sums gradients over the world.

    DistributedDataParallel sums a bucket of gradients as soon as backward()
    has them, while it computes the others.
    """
    if not in_world():
        return model

    def add(
        group: None, bucket: dist.GradBucket
    ) -> torch.futures.Future[Tensor]:
        # differs: gradient-sum (by default it averages)
        work = dist.all_reduce(bucket.buffer(), async_op=True)
        return work.get_future().then(lambda future: future.value()[0])

    # No buffer is sent before a forward pass: the statistics are of global
    # moments, and so equal on all ranks already.
    network = DistributedDataParallel(model, forward_sync_buffers=False)
    network.register_comm_hook(None, add)
    return network


def moments_over_world(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, biased variance and count per channel of a global batch.

    x: this process's share, (N, C, H, W). -> (C,), (C,), scalar
    """
    total, count = x.sum((0, 2, 3)), x.new_full((1,), x[:, 0].numel())
    both = sum_over_world(torch.cat([total, count]))
    mean, count = both[:-1] / both[-1], both[-1]
    # Two passes, since E[x^2] - E[x]^2 cancels. The derivative by the mean
    # is 0: all distances together are.
    distance = x - mean.detach()[:, None, None]
    squares = sum_over_world(distance.square().sum((0, 2, 3)))
    return mean, squares / count, count
