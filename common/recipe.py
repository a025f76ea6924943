"""Every number that decides a result, once.

`Recipe` is what is trained; two runs with equal recipes and seeds are the
same experiment. `Run` is how and where it is trained. `PRESETS` are recipes
with names. The comment behind each field is its line in `--help`.
"""

import math
from dataclasses import dataclass, fields
from typing import Literal

from common.errors import UsageError

Precision = Literal["float32", "bfloat16", "float64"]
Mode = Literal["eager", "compiled"]
Preset = Literal["auto", "dawnbench", "dropout", "small", "smoke"]
MOST_DEVICES = 1024


@dataclass(frozen=True)
class Recipe:
    """Every number that decides the result. Frameworks hold no copies."""

    width: int = 64  # channels after `prep`
    epochs: int = 24  # passes over the training images
    batch_size: int = 512  # images; the last, partial batch is used too
    peak_lr: float = 0.4  # highest learning rate, for the mean loss
    momentum: float = 0.9  # share of the old velocity, Nesterov
    weight_decay: float = 5e-4  # times the weight, added to the mean gradient
    dropout_rate: float = 0.0  # share of conv outputs set to 0, in each ConvBN
    cutout_size: int = 8  # side of the blanked square, pixels; 0 is off
    pad_each_side: int = 4  # pixels, reflected, before the random crop
    bn_eps: float = 1e-5  # added to the variance under the square root
    bn_keep: float = 0.9  # share of the old running statistic
    logit_scale: float = 0.125  # factor on the logits
    # of the training images: red green blue, 0 to 255
    pixel_mean: tuple[float, float, float] = (125.307, 122.950, 113.865)
    # of the training images: red green blue, 0 to 255
    pixel_std: tuple[float, float, float] = (62.993, 62.089, 66.705)
    train_images: int = 50_000  # how many, from the start of the set
    test_images: int = 10_000  # how many, from the start of the set
    # of convolutions and activations; by default bfloat16 on a GPU, else
    # float32; float64 is meant for tests
    precision: Precision = "float32"

    def __post_init__(self):
        """Raise UsageError unless every field makes sense."""

        def require(ok: bool, field: str, wanted: str) -> None:
            if not ok:
                flag = "--" + field.replace("_", "-")
                raise UsageError(
                    f"{flag} {getattr(self, field)}: expected {wanted}"
                )

        for field in fields(self):
            value = getattr(self, field.name)
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, float):
                    require(
                        math.isfinite(number), field.name, "a finite number"
                    )
        # The upper limits are far from any use: a record that was damaged,
        # or made up, must not ask for more memory than there is.
        for field, most in (("width", 4096), ("epochs", 10_000)):
            value = getattr(self, field)
            require(1 <= value <= most, field, f"1 to {most}")
        require(self.batch_size >= 1, "batch_size", "1 or more")
        require(1 <= self.train_images <= 50_000, "train_images", "1 to 50000")
        require(1 <= self.test_images <= 10_000, "test_images", "1 to 10000")
        require(
            self.batch_size <= self.train_images,
            "batch_size",
            f"at most the {self.train_images} training images",
        )
        require(self.peak_lr > 0, "peak_lr", "more than 0")
        below_1 = "0 up to, not with, 1"
        require(0 <= self.momentum < 1, "momentum", below_1)
        require(self.weight_decay >= 0, "weight_decay", "0 or more")
        require(0 <= self.dropout_rate < 1, "dropout_rate", below_1)
        require(0 <= self.cutout_size <= 32, "cutout_size", "0 to 32 pixels")
        # Reflection needs more pixels than it adds.
        require(0 <= self.pad_each_side < 32, "pad_each_side", "0 to 31 pixels")
        require(self.logit_scale > 0, "logit_scale", "more than 0")
        require(self.bn_eps > 0, "bn_eps", "more than 0")
        require(0 <= self.bn_keep < 1, "bn_keep", below_1)
        require(min(self.pixel_std) > 0, "pixel_std", "more than 0")

    @property
    def param_dtype(self) -> str:
        """The dtype of weights, batch-norm statistics, logits and loss."""
        return "float64" if self.precision == "float64" else "float32"

    @property
    def compute_dtype(self) -> str:
        """The dtype of convolutions and activations."""
        return self.precision

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one epoch, the last, partial batch included."""
        return math.ceil(self.train_images / self.batch_size)

    @property
    def total_steps(self) -> int:
        """Updates in the whole training."""
        return self.epochs * self.steps_per_epoch

    @property
    def peak_epoch(self) -> int:
        """Where the learning rate is highest, in epochs."""
        return (self.epochs + 1) // 5


@dataclass(frozen=True)
class Run:
    """How and where a recipe is trained."""

    # which recipe to start from; auto: dawnbench on a GPU, else small
    preset: Preset = "auto"
    # of weights, data order, augmentation and dropout
    seed: int = 0
    # synthetic: made from the seed, learnable, no download
    dataset: Literal["cifar10", "synthetic"] = "cifar10"
    # CIFAR-10 on this disk, a folder or an archive; else it is fetched
    data_dir: str | None = None
    # never touch the network
    offline: bool = False
    # auto: a GPU where the framework sees one
    device: Literal["auto", "cpu", "gpu"] = "auto"
    # how many of this process's devices share each batch; PyTorch has one in
    # each process, and torchrun starts those
    devices: int = 1
    # eagerly, or compiled into graphs; by default each framework's own way
    mode: Mode = "eager"
    # shared: the same NumPy weights in all three frameworks
    init: Literal["native", "shared"] = "native"
    # start from this checkpoint of any framework, in mid-training too: a
    # file, or the folder of a run
    load: str | None = None
    # folder of the record; else a new one below runs/
    out: str | None = None
    # go on from the last checkpoint of the same run
    resume: bool = False
    # also write the metrics as TensorBoard event files, in the record
    tensorboard: bool = False
    # show tracebacks
    debug: bool = False

    def __post_init__(self):
        """Raise UsageError unless every field makes sense."""
        if not 0 <= self.seed < 2**31:
            raise UsageError(f"--seed {self.seed}: expected 0 to {2**31 - 1}")
        if not 1 <= self.devices <= MOST_DEVICES:
            raise UsageError(
                f"--devices {self.devices}: expected 1 to {MOST_DEVICES}"
            )
        for name in ("data_dir", "load", "out"):
            if getattr(self, name) == "":  # as of a variable that is not set
                flag = "--" + name.replace("_", "-")
                raise UsageError(f"{flag}: expected a path, found nothing")
        if "://" in (self.data_dir or ""):
            # Not repeated: there may be a password in it.
            raise UsageError(
                "--data-dir: expected a path, found an address; "
                "DAVIDNET_MIRROR takes the https address of "
                "cifar-10-binary.tar.gz"
            )


PRESETS = {
    # David Page's DAWNBench entry: 94 % test accuracy.
    "dawnbench": Recipe(dropout_rate=0.0, cutout_size=8),
    # The TensorFlow-eager port: crop and flip only, dropout instead.
    "dropout": Recipe(dropout_rate=0.05, cutout_size=0),
    # A quarter of the width, a third of the epochs: minutes on a CPU.
    "small": Recipe(width=16, epochs=8, cutout_size=0),
    # Seconds, with everything switched on: for tests.
    "smoke": Recipe(
        width=4,
        epochs=1,
        dropout_rate=0.05,
        cutout_size=8,
        train_images=2_048,
        test_images=1_024,
    ),
}

# What records of earlier versions call some of them.
FORMER_PRESETS = {"notebook": "dropout"}


def auto_preset(sees_gpu: bool) -> Preset:
    """The preset that `--preset auto` stands for on this machine."""
    return "dawnbench" if sees_gpu else "small"
