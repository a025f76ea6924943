"""Several processes in TensorFlow: world, place, sums.

Read beside pytorch/parallel.py and jax_flax/parallel.py. Here:
  - a strategy, current from the start, owns the variables: each replica, on a
    device of its own, has a copy
  - MultiWorkerMirroredStrategy joins the processes that TF_CONFIG names;
    MirroredStrategy is for several devices of one process
  - code outside the replicas may sum too: `strategy.reduce`
"""

import os
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import tensorflow as tf

from common.checkpoint import Arrays
from common.draws import Draws
from common.errors import DeviceError, UsageError
from common.run.together import meet
from common.world import ALONE, World

Rows = TypeVar("Rows", tf.Tensor, Draws)

# --- World --------------------------------------------------------------


def join_world(device: str, devices: int) -> World:
    """Join the processes that TF_CONFIG names, or the devices of this one.

    ALONE without either. device, devices: of the flags. Raises DeviceError if
    there are too few devices, UsageError if TF_CONFIG does not say which
    process this is, or what TensorFlow raises if they do not find each other.
    """
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    every, rank = addresses(resolver)
    if devices > 1 or len(every) > 1:
        choose_devices(device, devices)
    if len(every) > 1:
        gpu = bool(tf.config.get_visible_devices("GPU"))
        if devices > 1 and not gpu:
            raise DeviceError(
                f"--devices {devices}: of several processes TensorFlow takes "
                "one CPU each; start more processes"
            )
        meet(every, rank)
        # Named, since AUTO does not give the same on all machines.
        kinds = tf.distribute.experimental.CommunicationImplementation
        kind = kinds.NCCL if gpu else kinds.RING
        options = tf.distribute.experimental.CommunicationOptions(
            implementation=kind
        )
        strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver, options)
    elif devices > 1:
        find = tf.config.list_logical_devices
        found = find("GPU") or find("CPU")
        strategy = tf.distribute.MirroredStrategy([d.name for d in found])
    else:
        return ALONE
    tf.distribute.experimental_set_strategy(strategy)
    # It warns at each of the first steps that eager mode is slow.
    tf.get_logger().setLevel("ERROR")
    return current_world()


def choose_devices(device: str, devices: int) -> None:
    """Let TensorFlow see as many devices as shall share a batch.

    A CPU is divided into as many logical devices, which compute no faster.
    """
    gpus = tf.config.list_physical_devices("GPU") if device != "cpu" else []
    if gpus and len(gpus) < devices:
        raise DeviceError(f"--devices {devices}: {len(gpus)} GPUs are here")
    tf.config.set_visible_devices(gpus[:devices], "GPU")
    if not gpus:
        cpu = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * devices
        tf.config.set_logical_device_configuration(cpu, parts)


def addresses(resolver) -> tuple[list[str], int]:
    """Return host:port of each process, and which of them this one is.

    Raises UsageError if TF_CONFIG names several, and none as this one.
    """
    if not os.environ.get("TF_CONFIG"):
        return [], 0
    spec = resolver.cluster_spec().as_dict()
    chief, workers = spec.get("chief", []), spec.get("worker", [])
    every = [*chief, *workers]
    if len(every) > 1 and resolver.task_id is None:
        raise UsageError(
            'TF_CONFIG has no "task": it tells a process which of the '
            f"{len(every)} it is; docs/scale.md has an example"
        )
    before = len(chief) if resolver.task_type == "worker" else 0
    return every, before + (resolver.task_id or 0)


def current_world() -> World:
    """Return the world that was joined, as the strategy knows it."""
    strategy = tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync
    resolver = strategy.cluster_resolver
    if resolver is None:
        backend = "MirroredStrategy" if replicas > 1 else ""
        return World(devices=replicas, backend=backend)
    every, rank = addresses(resolver)
    return World(
        rank,
        len(every),
        replicas // len(every),
        "nccl" if tf.config.get_visible_devices("GPU") else "grpc",
        is_lost,
        gather_over_world,
        spread_state,
    )


def in_world() -> bool:
    """Tell whether several replicas, of any processes, train together."""
    return tf.distribute.get_strategy().num_replicas_in_sync > 1


def leave_world(world: World) -> None:
    """Wait for the other processes; TensorFlow parts from them as it ends."""
    if not world.alone:
        sum_over_world(tf.constant(0))
    # The next training of this process is not of this world.
    tf.distribute.experimental_set_strategy(None)


def is_lost(error: BaseException) -> bool:
    """Tell whether an error says that another process does not answer."""
    lost = (
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.UnavailableError,
    )
    words = str(error).lower()
    named = "collective" in words or "nccl" in words
    return isinstance(error, lost) or (
        isinstance(error, tf.errors.InternalError) and named
    )


def gather_over_world(numbers: np.ndarray) -> np.ndarray:
    """Return the numbers of every process. (n,) int32 -> (size, n)"""
    world = current_world()
    table = np.zeros((world.size, len(numbers)), np.int32)
    table[world.rank] = numbers
    return sum_over_world(tf.constant(table)).numpy()


# --- Place --------------------------------------------------------------


def spread_state(arrays: Arrays) -> Arrays:
    """Give every process the arrays of the first, of equal shapes."""
    own = int(current_world().leads)  # the others add zeros
    return {
        name: sum_over_world(tf.constant(own * array)).numpy()
        for name, array in arrays.items()
    }


def share_batch(rows: Rows) -> Rows:
    """Return this process's share of a batch: of images, labels or draws."""
    world = current_world()
    return rows if world.alone else rows[world.share(len(rows))]


def in_replicas(step: Callable) -> Callable:
    """Return a step that runs in every replica, each on its part of the share.

    step: of (state, images, labels, ...); returns metrics, which are summed.
    """
    if not in_world():
        return step
    strategy = tf.distribute.get_strategy()
    count = len(strategy.extended.worker_devices)  # replicas of this process

    def one_replica(state, images, labels, *rest):
        part = World(replica_number() % count, count).share(len(labels))
        return step(state, images[part], labels[part], *rest)

    def all_replicas(*args):
        metrics = strategy.run(one_replica, args)
        local = strategy.experimental_local_results
        return {name: tf.add_n(local(v)) for name, v in metrics.items()}

    return all_replicas


def replica_number() -> int:
    """Return which of all replicas this code runs in, from 0."""
    context = tf.distribute.get_replica_context()
    return int(tf.get_static_value(context.replica_id_in_sync_group))


# --- Sums ---------------------------------------------------------------


def sum_over_world(x: tf.Tensor) -> tf.Tensor:
    """Sum a tensor over the world, element by element; differentiable.

    Inside a step over all replicas; outside over the processes.
    """
    if not in_world():
        return x
    strategy = tf.distribute.get_strategy()
    replica = tf.distribute.get_replica_context()
    if replica is not None:
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, x)
    if current_world().alone:
        return x  # in_replicas has added what the replicas gave
    count = len(strategy.extended.worker_devices)
    if count > 1:
        # As what the first replica of this process gives, and the others 0.
        parts = [x] + [tf.zeros_like(x)] * (count - 1)
        x = strategy.experimental_distribute_values_from_function(
            lambda replica: parts[replica.replica_id_in_sync_group % count]
        )
    return strategy.reduce(tf.distribute.ReduceOp.SUM, x, axis=None)


def sum_gradients(grads: list[tf.Tensor]) -> list[tf.Tensor]:
    """Return the gradients as they are: Keras's `apply` sums them.

    It does so before it calls `update_step`, over all replicas, whatever
    `loss` was: a second sum would multiply them by the number of replicas.
    """
    return grads


def moments_over_world(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Return mean, biased variance and count per channel of a global batch.

    x: this replica's part, (N, H, W, C). -> (C,), (C,), scalar
    """
    count = tf.cast(tf.size(x) // x.shape[-1], x.dtype)
    if not in_world():
        return *tf.nn.moments(x, axes=[0, 1, 2]), count
    total = tf.reduce_sum(x, axis=[0, 1, 2])
    both = sum_over_world(tf.concat([total, [count]], axis=0))
    mean, count = both[:-1] / both[-1], both[-1]
    # Two passes, since E[x^2] - E[x]^2 cancels. The derivative by the mean
    # is 0: all distances together are.
    squares = tf.math.squared_difference(x, tf.stop_gradient(mean))
    squares = sum_over_world(tf.reduce_sum(squares, axis=[0, 1, 2]))
    return mean, squares / count, count
