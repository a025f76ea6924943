"""Use of a trained network in JAX: probabilities for any images.

Read beside tensorflow_eager/predict.py and pytorch/predict.py. Here:
  - the network is merged from its parts, as in `eval_step`
  - `nnx.jit` compiles its logits, once for each batch size

    python -m frameworks.jax_flax.predict runs/jax_flax/small-... picture.png
"""

import sys
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from common.cifar10.load import Split
from common.run.use import Trained, use_command
from frameworks.jax_flax.checkpoint import load
from frameworks.jax_flax.data import (
    Batches,
    configure,
    eval_batches,
    find_device,
    to_device,
)
from frameworks.jax_flax.model import DavidNet
from frameworks.jax_flax.parallel import choose_devices
from frameworks.jax_flax.step import TrainState, create_state

# --- Predict ------------------------------------------------------------

# Here, since each call of nnx.jit makes a function that compiles anew.
compute_logits = nnx.jit(DavidNet.logits)


def predict(state: TrainState, batches: Batches) -> Array:
    """Compute the probability of each class. -> (n, 10) float

    batches: as from eval_batches; their labels are not used.
    """
    model = nnx.merge(state.graph, state.params, state.stats)
    model.eval()
    logits = [compute_logits(model, images) for images, _ in batches]
    return jax.nn.softmax(jnp.concatenate(logits), axis=1)


def use(trained: Trained, split: Split, device: str) -> np.ndarray:
    """Restore a trained network and show it images: the whole story.

    split: images (n, 32, 32, 3) uint8; device: as of `--device`. Returns
    the probability of each class, (n, 10) float.
    """
    choose_devices(1)
    recipe, where = trained.recipe, find_device(device)
    configure(recipe, where)
    state = create_state(recipe, 0, where)
    state = load(trained.checkpoint, state, recipe)
    data = to_device(split, where)
    return np.asarray(predict(state, eval_batches(data, recipe)))


# --- Command line -------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Use a trained network as argv says, or the process. -> the exit code"""
    return use_command(argv, "jax_flax", use)


if __name__ == "__main__":
    sys.exit(main())
