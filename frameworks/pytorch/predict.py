"""Use of a trained network in PyTorch: probabilities for any images.

Read beside tensorflow_eager/predict.py and jax_flax/predict.py. Here:
  - `inference_mode` records nothing for a backward pass
  - the network is run eagerly: for one pass compiling does not pay

    python -m frameworks.pytorch.predict runs/pytorch/small-... picture.png
"""

import sys
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from common.cifar10.load import Split
from common.run.use import Trained, use_command
from frameworks.pytorch.checkpoint import load
from frameworks.pytorch.data import (
    Batches,
    configure,
    eval_batches,
    find_device,
    to_device,
)
from frameworks.pytorch.step import TrainState, create_state

# --- Predict ------------------------------------------------------------


@torch.inference_mode()
def predict(state: TrainState, batches: Batches) -> Tensor:
    """Compute the probability of each class. -> (n, 10) float

    batches: as from eval_batches; their labels are not used.
    """
    state.model.eval()
    logits = [state.model.logits(images) for images, _ in batches]
    return torch.cat(logits).softmax(dim=1)


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
    return predict(state, eval_batches(data, recipe)).cpu().numpy()


# --- Command line -------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Use a trained network as argv says, or the process. -> the exit code"""
    return use_command(argv, "pytorch", use)


if __name__ == "__main__":
    sys.exit(main())
