"""Several processes in JAX: world, place, sums.

Read beside tensorflow_eager/parallel.py and pytorch/parallel.py. Here:
  - the devices that are asked for, of all processes, are one mesh; every array
    lies on all of them
  - the program is written for the whole batch; XLA divides it by the one
    constraint that `share_batch` puts on images and labels, and adds the sums
    which that needs
  - so batch norm, loss, gradients, metrics and dropout masks are those of one
    process, without a line in `model.py`
"""

import os

import jax
import numpy as np
from flax import nnx
from jax import Array
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from common.checkpoint import Arrays
from common.errors import DeviceError
from common.run.together import let_abort_mean_loss, listen
from common.world import (
    ALONE,
    ANSWER_SECONDS,
    JOIN_SECONDS,
    World,
    launcher,
)

# --- World --------------------------------------------------------------


def join_world(device: str, devices: int) -> World:
    """Join the processes that the environment, Slurm or Open MPI names.

    All their devices become one mesh; ALONE for one device of one process.
    device, devices: of the flags. Raises DeviceError if there are too few
    devices, or what JAX raises if the processes do not find each other.
    """
    # Open MPI 5 tells it, too, but not the address of the first process.
    told = os.environ.get
    count = told("JAX_NUM_PROCESSES") or told("OMPI_COMM_WORLD_SIZE")
    several = int(count or 1) > 1 or bool(launcher())
    gpus = choose_devices(devices)
    if devices == 1 and not several:
        return ALONE
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    if several:
        connect(int(count) if count else None, gpus)
    chosen = [d for d in jax.devices() if place_in_process(d) < devices]
    if len(chosen) < devices * jax.process_count():
        raise DeviceError(
            f"--devices {devices}: of {jax.process_count()} processes, this "
            f"one has {jax.local_device_count()} devices"
        )
    carrier = {"cpu": "gloo" if several else "XLA", "gpu": "nccl"}
    # From here on every array is made on the whole mesh.
    jax.set_mesh(Mesh(chosen, ("batch",)))
    if several:
        # The first sum connects the processes, and XLA waits 30 s for the
        # last of them; for later sums it waits while others compile.
        gather_over_world(np.zeros(1, np.int32))
    return World(
        jax.process_index(),
        jax.process_count(),
        devices,
        carrier[chosen[0].platform],
        is_lost,
        gather_over_world,
        spread_state,
    )


def connect(count: int | None, gpus: list[int] | None) -> None:
    """Find the other processes; raises what JAX raises if it cannot.

    count: of all processes, None if Slurm's step says it; gpus: those of this
    one, as from choose_devices.
    """
    # With it, SIGTERM would no longer end the process.
    jax.config.update("jax_enable_preemption_service", False)
    told = os.environ.get
    rank = told("JAX_PROCESS_ID") or told("OMPI_COMM_WORLD_RANK")
    address = told("JAX_COORDINATOR_ADDRESS", "")
    local = address.startswith(("127.", "localhost"))
    if rank == "0" and address:
        listen(address).close()  # raises if the port is taken
    jax.distributed.initialize(
        num_processes=count,
        process_id=int(rank) if rank else None,
        local_device_ids=gpus,
        initialization_timeout=2 * JOIN_SECONDS,  # it aborts then
        heartbeat_timeout_seconds=ANSWER_SECONDS,
        shutdown_timeout_seconds=ANSWER_SECONDS,
        # By default it listens to every network of the machine.
        coordinator_bind_address=address if local else None,
    )
    # JAX aborts a process when another one does not answer.
    let_abort_mean_loss()


def choose_devices(devices: int) -> list[int] | None:
    """Let JAX see as many devices as it shall use: it takes memory of each.

    A CPU is divided into as many, which compute no faster. Returns the
    numbers of the GPUs; None if variables of JAX name them.
    """
    if devices > 1:
        jax.config.update("jax_num_cpu_devices", devices)
    if {"JAX_LOCAL_DEVICE_IDS", "JAX_CUDA_VISIBLE_DEVICES"} & set(os.environ):
        return None
    first = 0
    if devices == 1 and launcher():  # which has started one for each GPU
        told = os.environ.get
        place = told("SLURM_LOCALID") or told("OMPI_COMM_WORLD_LOCAL_RANK")
        first = int(place or 0)
    gpus = list(range(first, first + devices))
    jax.config.update("jax_cuda_visible_devices", ",".join(map(str, gpus)))
    return gpus


def place_in_process(device: jax.Device) -> int:
    """Return which of its process's devices a device is, from 0."""
    return jax.local_devices(device.process_index).index(device)


def leave_world(world: World) -> None:
    """Wait for the other processes, and part from them."""
    if not world.alone:
        jax.distributed.shutdown()
    # The next training of this process is not of this world.
    jax.set_mesh(None)


def is_lost(error: BaseException) -> bool:
    """Tell whether an error says that another process does not answer."""
    words = str(error).lower()
    causes = ("gloo", "nccl", "unavailable", "deadline_exceeded", "aborted")
    return isinstance(error, RuntimeError | ValueError) and any(
        cause in words for cause in causes
    )


def gather_over_world(numbers: np.ndarray) -> np.ndarray:
    """Return the numbers of every process. (n,) int32 -> (size, n)"""
    return multihost_utils.process_allgather(numbers).reshape(-1, len(numbers))


# --- Place --------------------------------------------------------------


def everywhere(device: jax.Device) -> jax.Device | NamedSharding:
    """Return where state goes: to the device, or to every one of the mesh."""
    mesh = jax.sharding.get_mesh()
    return device if mesh.empty else NamedSharding(mesh, PartitionSpec())


def put_everywhere(array: np.ndarray, device: jax.Device) -> Array:
    """Copy data, which every process has, to the device or to the mesh."""
    place = everywhere(device)
    if place is device:
        return jax.device_put(array, device)
    # device_put would send it around to compare what the processes have.
    return jax.make_array_from_process_local_data(place, array)


def spread_state(arrays: Arrays) -> Arrays:
    """Give every process the arrays of the first, of equal shapes."""
    return multihost_utils.broadcast_one_to_all(arrays)


def share_batch(rows: Array) -> Array:
    """Divide images or labels over the mesh, for all that is made of them.

    It binds the compiler, and changes no value: the array is still the whole
    batch. XLA pads one that cannot be divided evenly. Eagerly JAX would refuse
    such a one, so there each device computes all.
    """
    traced = isinstance(rows, jax.core.Tracer)
    if not traced or jax.sharding.get_abstract_mesh().empty:
        return rows
    return jax.lax.with_sharding_constraint(rows, PartitionSpec("batch"))


# --- Sums ---------------------------------------------------------------


def sum_over_world(x: Array) -> Array:
    """Return the sum as it is: one over a batch is over the whole batch."""
    return x


def sum_gradients(grads: nnx.State) -> nnx.State:
    """Return the gradients as they are: those of the loss of the whole batch.

    XLA adds up what each device has, where the weights, which all have, meet
    the images, of which each has some.
    """
    return grads
