"""PyTorch's data on a device that is not the CPU: "meta", without numbers.

    python -m parity_tests.programs.elsewhere

Run in PyTorch's environment. A tensor that is made on the CPU beside images
that are elsewhere ends in an error, as it would on a GPU.
"""

import sys

import torch

from common.cifar10 import synthetic
from common.cifar10.load import Split
from common.draws import epoch_draws
from frameworks.pytorch import data
from parity_tests.harness.cases import DATA


def main() -> int:
    """Make all batches of an epoch; 0 if every tensor is elsewhere."""
    device = torch.device("meta")
    arrays = synthetic.make(0, DATA.train_images, DATA.test_images)
    train = Split(arrays["x_train"], arrays["y_train"])
    test = Split(arrays["x_test"], arrays["y_test"])
    images, labels = data.to_device(train, device)
    padded = data.pad(images, DATA), labels
    draws = epoch_draws(0, 0, DATA)
    batches = [*data.train_batches(padded, draws, DATA)]
    batches += data.eval_batches(data.to_device(test, device), DATA)
    assert len(batches) == 6
    found = {tensor.device for pair in batches for tensor in pair}
    assert found == {device}, found
    return 0


if __name__ == "__main__":
    sys.exit(main())
