"""How a process joins others and parts from them, without any others."""

import ast

import pytest

# What is left of a world of two devices once it was left.
PARTED = """
from frameworks.{0}.parallel import join_world, leave_world
{1}

world = join_world("cpu", 2)
assert joined(), "never joined"
assert (world.size, world.devices, world.backend) == (1, 2, "{2}")
leave_world(world)
assert not joined(), "still joined"
"""
JOINED = {
    "tensorflow_eager": "import tensorflow as tf\n"
    "joined = tf.distribute.has_strategy",
    "jax_flax": "from jax.sharding import get_mesh\n"
    "joined = lambda: not get_mesh().empty",
}
# What sums over two devices of one process, as the record says it.
BACKENDS = {"tensorflow_eager": "MirroredStrategy", "jax_flax": "XLA"}
# What JAX is told when it is to join another process.
BOUND = """
from unittest.mock import patch

from frameworks.jax_flax.parallel import join_world

with patch("jax.distributed.initialize", side_effect=KeyError) as joined:
    try:
        join_world("cpu", 1)
    except KeyError:
        print(joined.call_args.kwargs["coordinator_bind_address"])
"""
# What one process gives itself.
ONE = """
import numpy as np
{1}
from frameworks.{0}.parallel import gather_over_world, spread_state

given = {{"a": np.ones((2, 3)), "step": np.array([7], np.int32)}}
found = spread_state(given)
assert found.keys() == given.keys()
for name, array in given.items():
    np.testing.assert_array_equal(found[name], array, strict=True)
mine = np.arange(3, dtype=np.int32)
np.testing.assert_array_equal(gather_over_world(mine), mine[None], strict=True)
"""
GROUPS = {
    "tensorflow_eager": "",
    "pytorch": "import torch.distributed as dist\n"
    "dist.init_process_group(store=dist.HashStore(), rank=0, world_size=1)",
    "jax_flax": "import jax; jax.config.update('jax_enable_x64', True)",
}


# The devices that JAX may see, which it is told before it joins others.
SEEN = """
import sys
from unittest.mock import patch

from frameworks.jax_flax.parallel import join_world

with (
    patch("jax.config.update") as update,
    patch("jax.distributed.initialize", side_effect=KeyError),
):
    try:
        join_world(sys.argv[1], 1)
    except KeyError:
        print(dict(call.args for call in update.mock_calls))
"""


@pytest.mark.parametrize("framework", GROUPS)
def test_what_a_process_spreads_and_gathers_is_what_it_has(programs, framework):
    code = ONE.format(framework, GROUPS[framework])
    result = programs[framework].run_words("-c", code)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("framework", JOINED)
def test_the_next_training_of_a_process_is_not_of_the_world_it_left(
    programs, framework
):
    code = PARTED.format(framework, JOINED[framework], BACKENDS[framework])
    result = programs[framework].run_words("-c", code)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("framework", ["jax_flax"])
@pytest.mark.parametrize(
    ("address", "bound"),
    [
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("localhost:1", "localhost:1"),
        ("node:1", "None"),
    ],
)
def test_on_one_machine_nobody_else_can_reach_the_processes(
    programs, framework, address, bound
):
    told = {
        "JAX_COORDINATOR_ADDRESS": address,
        "JAX_NUM_PROCESSES": "2",
        "JAX_PROCESS_ID": "1",
    }
    result = programs[framework].run_words("-c", BOUND, **told)
    assert result.stdout.split() == [bound], result.stderr


TAKEN = """
from unittest.mock import patch

from frameworks.jax_flax.predict import use

with patch("jax.config.update") as update:
    try:
        use(None, None, "auto")
    except AttributeError:
        update.assert_called_once_with("jax_cuda_visible_devices", "0")
        print("one")
"""


@pytest.mark.parametrize("framework", ["jax_flax"])
def test_a_trained_network_is_used_on_one_gpu_of_several(programs, framework):
    """JAX takes memory of each that it sees."""
    result = programs[framework].run_words("-c", TAKEN)
    assert result.stdout.split() == ["one"], result.stderr


# Sums over two devices, in the programs that XLA makes for them.
SUMS = """
import jax
import numpy as np

from common.recipe import PRESETS
from frameworks.jax_flax.data import configure
from frameworks.jax_flax.parallel import join_world, put_everywhere
from frameworks.jax_flax.step import create_state, make_steps

join_world("cpu", 2)
recipe, cpu = PRESETS["smoke"], jax.devices("cpu")[0]
configure(recipe, cpu)
state = create_state(recipe, 0, cpu)
images = put_everywhere(np.zeros((8, 32, 32, 3), np.float32), cpu)
labels = put_everywhere(np.zeros(8, np.int32), cpu)
for step, lr in zip(make_steps(state, "compiled"), ([0.0], []), strict=True):
    program = step.lower(state, images, labels, *lr).compile().as_text()
    print("all-reduce" in program)
"""


@pytest.mark.parametrize("framework", ["jax_flax"])
def test_each_device_computes_a_share_of_a_batch(programs, framework):
    """Without a share, each would compute all, and nothing be summed."""
    result = programs[framework].run_words("-c", SUMS)
    assert result.stdout.split() == ["True", "True"], result.stderr


# Of errors, which say that another process is lost.
LOSSES = """
{1}
from frameworks.{0}.parallel import is_lost

print(*(is_lost(error) for error in ERRORS))
"""
# One that does, and one of a mistake in this process.
ERRORS = {
    "tensorflow_eager": "import tensorflow as tf\n"
    "ERRORS = [tf.errors.InternalError(None, None, text) for text in"
    " ('Collective ops is aborted', 'a mistake')]",
    "pytorch": "ERRORS = RuntimeError('Gloo: closed'), RuntimeError('a bug')",
    "jax_flax": "ERRORS = RuntimeError('Gloo: closed'), RuntimeError('a bug')",
}


@pytest.mark.parametrize("framework", ERRORS)
def test_a_mistake_is_no_lost_process(programs, framework):
    """It would be told as one, and its traceback be kept from the user."""
    code = LOSSES.format(framework, ERRORS[framework])
    result = programs[framework].run_words("-c", code)
    assert result.stdout.split() == ["True", "False"], result.stderr


CHOSEN = """
from unittest.mock import patch

from frameworks.jax_flax.parallel import choose_devices

with patch("jax.config.update"):
    print(choose_devices(1))
"""


@pytest.mark.parametrize("framework", ["jax_flax"])
@pytest.mark.parametrize(
    "told",
    [
        {"SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "3"},
        {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_RANK": "3"},
    ],
)
def test_each_process_of_a_launcher_takes_its_own_gpu(
    programs, framework, told
):
    result = programs[framework].run_words("-c", CHOSEN, **told)
    assert result.stdout.split() == ["[3]"], result.stderr


@pytest.mark.parametrize("framework", ["jax_flax"])
@pytest.mark.parametrize(
    ("device", "platforms"), [("cpu", "cpu"), ("auto", None), ("gpu", None)]
)
def test_a_process_that_shall_use_a_cpu_sees_no_gpu(
    programs, framework, device, platforms
):
    """And one that may use a GPU does."""
    two = {"JAX_NUM_PROCESSES": "2"}
    result = programs[framework].run_words("-c", SEEN, device, **two)
    told = ast.literal_eval(result.stdout)
    assert told.get("jax_platforms") == platforms
