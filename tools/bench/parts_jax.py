"""JAX's pieces: the model's own modules, each compiled as the step is."""

from collections.abc import Callable
from operator import attrgetter
from unittest import mock

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from frameworks.jax_flax import step
from frameworks.jax_flax.model import Dropout, cross_entropy
from tools.bench.parts import Part
from tools.bench.plan import Job
from tools.bench.training import Training


def compiler_options(training: Training) -> dict | None:
    """What make_steps tells XLA."""
    with mock.patch.object(step.jax, "jit") as jit:
        step.make_steps(training.state, "compiled")
    return jit.call_args.kwargs.get("compiler_options")


def random(part: Part, training: Training) -> jax.Array:
    """An input of a part, of the type that it gets."""
    half = training.recipe.precision == "bfloat16" and part.needs_input_grad
    size, side = training.recipe.batch_size, part.side
    shape = (size, side, side, part.channels)
    dtype = jnp.bfloat16 if half else jnp.float32
    return jax.random.normal(jax.random.key(0), shape, dtype)


def operation(part: Part, training: Training, rate: float) -> tuple:
    """The part as a function of parameters and input; its own parameters."""
    state, kind = training.state, part.kind
    labels, key = training.arguments[1], jax.random.key(1)
    dropout = Dropout(rate)
    names = {"conv": "conv", "batch norm": "bn"}
    place = (*part.block.split("."), names.get(kind, "no parameters"))
    place = ("linear",) if kind == "head" else place
    # The others may not be parameters here: they would get a gradient, of
    # zeros, and zeros take time to write.
    graph, own, others = nnx.split(
        nnx.merge(state.graph, state.params, state.stats, copy=True),
        nnx.All(nnx.Param, lambda path, _: path[: len(place)] == place),
        ...,
    )

    def call(own, images):
        model = nnx.merge(graph, own, others, copy=True)
        if kind == "head":
            return cross_entropy(model.head(images), labels)
        block = attrgetter(part.block)(model)
        return {
            "conv": lambda: block.conv(images),
            "batch norm": lambda: block.bn(images, True),
            "ReLU": lambda: jax.nn.relu(images),
            "dropout": lambda: dropout(images, key),
            "max pool": lambda: block.pool(images),
            "sum": lambda: images + images[::-1],
        }[kind]()

    return call, own


def passes(part: Part, training: Training, rate: float) -> tuple:
    """Two functions, forward and backward; None for a backward of nothing."""
    options = compiler_options(training)
    call, own = operation(part, training, rate)
    images = random(part, training)
    compiled = jax.jit(call, compiler_options=options)
    if part.kind == "sum":  # its gradient is that of its result
        return lambda: compiled(own, images), None
    if part.needs_input_grad:
        result, pull = jax.vjp(call, own, images)
    else:
        result, pull = jax.vjp(lambda own: call(own, images), own)
    grad = jnp.ones_like(result)
    # What the forward pass kept is an argument, so it is not done again.
    pulled = jax.jit(lambda pull, grad: pull(grad), compiler_options=options)
    return lambda: compiled(own, images), lambda: pulled(pull, grad)


def update(training: Training) -> Callable:
    """The optimizer's update of all weights."""
    state = training.state

    @jax.jit
    def apply(params, opt_state):
        updates, opt_state = state.optimizer.update(params, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    return lambda: apply(state.params, state.opt_state)


def kernels(training: Training, job: Job) -> list[dict]:
    """None: the tables of parts say what takes how long."""
    return []
