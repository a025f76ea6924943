"""How much arithmetic there is, from the table of shapes."""

from dataclasses import dataclass

from common.init import CLASSES, conv_bn_channels
from common.recipe import Recipe
from parity_tests.oracle.network import SIDES


@dataclass(frozen=True)
class Conv:
    """One 3x3 convolution of the network: side x side, padded."""

    c_in: int
    c_out: int
    side: int

    @property
    def label(self) -> str:
        """What it is called in tables: "64 -> 128, 32x32"."""
        return f"{self.c_in} -> {self.c_out}, {self.side}x{self.side}"

    @property
    def flop(self) -> int:
        """Additions and multiplications, forward, for one image."""
        return 2 * 9 * self.c_in * self.c_out * self.side**2


def convolutions(recipe: Recipe) -> list[Conv]:
    """All convolutions, in network order."""
    channels = conv_bn_channels(recipe)
    return [Conv(*channels[name], side) for name, side in SIDES.items()]


def gflop_per_image(recipe: Recipe) -> float:
    """10^9 operations of a training step for one image.

    Forward, and twice as much backward: for the gradient of the input and
    for that of the kernel. Convolutions and the linear layer are counted,
    everything else is not: it moves memory.
    """
    forward = sum(conv.flop for conv in convolutions(recipe))
    forward += 2 * 8 * recipe.width * CLASSES
    return 3 * forward / 1e9
