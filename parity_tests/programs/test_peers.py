"""What the benchmark measures beside the three trains the same network."""

import json

import pytest

from common.init import parameter_table
from common.recipe import Recipe

SETUP = """
import json
import numpy as np
from common.cifar10 import synthetic
from common.cifar10.load import Split
from common.recipe import Recipe
recipe = Recipe(width=4, batch_size=32, peak_lr=2.0)
data = synthetic.make(0, 2048, 1)
images, labels = data["x_train"], data["y_train"]
"""
KERAS = """
import keras
from tools.bench import peer
keras.utils.set_random_seed(0)
model = peer.build(recipe)
count = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
images = (images - np.float32(recipe.pixel_mean)) / np.float32(recipe.pixel_std)
fitted = model.fit(images, labels, recipe.batch_size, epochs=2, verbose=0)
losses = fitted.history["loss"]
"""
USUAL = """
import torch
from tools.bench import usual
torch.manual_seed(0)
model = usual.DavidNet(recipe)
count = sum(weight.numel() for weight in model.parameters())
split = Split(images, labels)
losses = [np.mean(list(usual.train(model, split, recipe))) for _ in range(2)]
"""
TOLD = "\nprint(json.dumps([count, *losses]))"


@pytest.mark.parametrize(
    ("framework", "peer"), [("tensorflow_eager", KERAS), ("pytorch", USUAL)]
)
def test_a_peer_trains_as_many_weights_and_its_loss_falls(
    programs, framework, peer
):
    """By a third at least, from the first epoch to the second."""
    words = SETUP + peer + TOLD
    result = programs[framework].run_words("-c", words)
    assert result.returncode == 0, result.stderr
    count, first, last = json.loads(result.stdout.splitlines()[-1])
    table = parameter_table(Recipe(width=4))
    assert count == sum(row.size for row in table if row.trained)
    assert last < first * 2 / 3


def test_the_usual_loop_augments_by_the_recipe(programs):
    """Each image: another place, the border reflected, a square of zeros."""
    words = f"""{SETUP}
import torch
from tools.bench.usual import Images
shown = [Images(Split(images, labels), recipe)[0][0] for _ in range(64)]
shown = torch.stack(shown)
holes = (shown == 0).all(1).sum((1, 2))
pixels = images[0].reshape(-1, 3) - recipe.pixel_mean
known = set(map(tuple, (pixels / recipe.pixel_std).round(3).tolist()))
rest = shown.double().permute(0, 2, 3, 1).reshape(-1, 3)
rest = set(map(tuple, rest[rest.any(1)].numpy().round(3).tolist()))
print(shown.shape, holes.unique().tolist(), len(rest - known), len(set(
    image.numpy().tobytes() for image in shown)) > 32)
"""
    result = programs["pytorch"].run_words("-c", words)
    assert result.returncode == 0, result.stderr
    said = "torch.Size([64, 3, 32, 32]) [64] 0 True"
    assert result.stdout.splitlines()[-1] == said
