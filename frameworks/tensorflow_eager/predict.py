"""Use of a trained network in TensorFlow: probabilities for any images.

Read beside pytorch/predict.py and jax_flax/predict.py. Here:
  - no tape is open, so that nothing is recorded for a backward pass
  - the network is run eagerly; `Model.predict` of Keras would not take the
    labels that this model is called with

    python -m frameworks.tensorflow_eager.predict \
        runs/tensorflow_eager/small-... picture.png
"""

import sys
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from common.cifar10.load import Split
from common.run.use import Trained, use_command
from frameworks.tensorflow_eager.checkpoint import load
from frameworks.tensorflow_eager.data import (
    Batches,
    configure,
    eval_batches,
    find_device,
    to_device,
)
from frameworks.tensorflow_eager.step import TrainState, create_state

# --- Predict ------------------------------------------------------------


def predict(state: TrainState, batches: Batches) -> tf.Tensor:
    """Compute the probability of each class. -> (n, 10) float

    batches: as from eval_batches; their labels are not used.
    """
    logits = [state.model.logits(images) for images, _ in batches]
    return tf.nn.softmax(tf.concat(logits, axis=0))


def use(trained: Trained, split: Split, device: str) -> np.ndarray:
    """Restore a trained network and show it images: the whole story.

    split: images (n, 32, 32, 3) uint8; device: as of `--device`. Returns
    the probability of each class, (n, 10) float.
    """
    recipe, where = trained.recipe, find_device(device)
    configure(recipe, where)
    state = create_state(recipe, 0, where)
    state = load(trained.checkpoint, state, recipe)
    data = to_device(split, where)
    return predict(state, eval_batches(data, recipe)).numpy()


# --- Command line -------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Use a trained network as argv says, or the process. -> the exit code"""
    return use_command(argv, "tensorflow_eager", use)


if __name__ == "__main__":
    sys.exit(main())
