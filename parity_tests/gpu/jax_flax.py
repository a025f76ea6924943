"""JAX's programs compiled for an H100, where there is none.

    python -m parity_tests.gpu.jax_flax [--out FILE]

Run in the environment of requirements/jax-paper.txt: JAX for the CPU, and
JAX's two CUDA plugins, which compile for a GPU without one, and without a
driver or a CUDA library. Prints JSON: what each program holds, by case.
"""

import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import (
    Mesh,
    NamedSharding,
    PartitionSpec,
    Sharding,
    SingleDeviceSharding,
)

from common.draws import epoch_draws
from common.recipe import PRESETS, Recipe
from frameworks.jax_flax import data, step, train
from parity_tests.gpu import hlo
from parity_tests.gpu.command import main

H100 = Path(__file__).with_name("h100.textproto").read_text()
# By name: precision, dropout rate, GPUs; all else is the preset dawnbench.
CASES = {
    "bfloat16": ("bfloat16", 0.0, 1),
    "float32": ("float32", 0.0, 1),
    "bfloat16 dropout 0.05": ("bfloat16", 0.05, 1),
    "bfloat16 on 8 GPUs": ("bfloat16", 0.0, 8),
}


def on_gpu(tree, place: Sharding):
    """The shapes of arrays, as if they were there."""
    return jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=place), tree
    )


def compile_all(recipe: Recipe, devices: list) -> dict:
    """The two programs of a training: a whole epoch, an evaluation step."""
    cpu = jax.devices("cpu")[0]
    data.configure(recipe, cpu)
    state = step.create_state(recipe, 0, cpu)
    train_step, eval_step = step.make_steps(state, "compiled")
    place: Sharding = SingleDeviceSharding(devices[0])
    several: AbstractContextManager = nullcontext()
    if len(devices) > 1:  # as parallel.py has them, on every one
        mesh = Mesh(devices, ("batch",))
        place, several = (
            NamedSharding(mesh, PartitionSpec()),
            jax.set_mesh(mesh),
        )
    given = partial(on_gpu, place=place)
    side = 32 + 2 * recipe.pad_each_side
    images = np.zeros((recipe.train_images, side, side, 3), np.uint8)
    labels = np.zeros(recipe.train_images, np.int32)
    lrs = np.zeros(recipe.steps_per_epoch, recipe.param_dtype)
    sets = (images, labels)
    batch = np.zeros((recipe.batch_size, 32, 32, 3), recipe.param_dtype)
    with several:
        epoch = train.scan_epoch.lower(
            train_step,
            *map(given, (state, sets, epoch_draws(0, 0, recipe), lrs)),
            recipe,
        )
        evaluation = eval_step.lower(
            *map(given, (state, batch, labels[: recipe.batch_size]))
        )
        return {"epoch": epoch.compile(), "evaluation": evaluation.compile()}


def describe(compiled, recipe: Recipe) -> dict:
    """What a program holds; a step is the body of its loop, if it has one."""
    program = hlo.read(compiled.as_text())
    body = program.step()
    convolutions = [i for i in body if "conv" in i.target or "conv" in i.kind]
    sums = [i for i in body if i.kind == "reduce" or "reduce" in i.name]
    memory = compiled.memory_analysis()
    return {
        "kernels": sum(i.starts_kernel for i in body),
        "libraries": sorted({i.target for i in body if i.target}),
        "convolutions": len(convolutions),
        "operands": sorted(
            {t for i in convolutions for t in hlo.types_of(body, i.operands)}
        ),
        "channels last": sum(map(hlo.is_channels_last, convolutions)),
        # A sum over images and pixels leaves a number for each channel.
        "types of sums": sorted(
            {
                kind
                for i in sums
                for kind, dims, _ in hlo.SHAPE.findall(i.type)
                if dims and "," not in dims and int(dims) != recipe.batch_size
            }
        ),
        "collectives": sum(
            i.starts_kernel and i.kind.startswith(hlo.COLLECTIVES) for i in body
        ),
        "crossings": program.crossings(),
        # Else each turn of the loop would ask the host.
        "loop": re.findall(r'known_trip_count":{"n":"(\d+)"}', program.text),
        "bytes moved": hlo.moved(body, recipe.train_images),
        "argument bytes": memory.argument_size_in_bytes,
        "result bytes": memory.output_size_in_bytes,
        "donated bytes": memory.alias_size_in_bytes,
        "temporary bytes": memory.temp_size_in_bytes,
    }


def facts() -> dict:
    """By case and program."""
    found = {}
    for name, (precision, dropout, count) in CASES.items():
        topology = topologies.get_topology_desc(
            "h100", "cuda", target_config=H100, topology=f"1x1x{count}"
        )
        recipe = replace(
            PRESETS["dawnbench"], precision=precision, dropout_rate=dropout
        )
        compiled = compile_all(recipe, topology.devices)
        found[name] = {k: describe(c, recipe) for k, c in compiled.items()}
    return found


if __name__ == "__main__":
    main(facts)
