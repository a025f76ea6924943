"""Flags that are paths, and usage errors: one line that says what was meant."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated

from tyro.constructors import PrimitiveConstructorSpec

from common.files import user_path
from common.recipe import Recipe, Run

# The type of a tool's flag that is a path: a `~` at its start is a home.
PathFlag = Annotated[
    Path,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=lambda words: user_path(words[0]),
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda path: [str(path)],
    ),
]
HELP = "(--help lists the flags)"
# What tyro hands on from Python, in plain words.
PLAIN = {
    r"^Error parsing (\S+): ": r"\1: ",
    r"invalid literal for int\(\) with base 10: ": "expected an integer, not ",
    r"could not convert string to float: ": "expected a number, not ",
    r"^invalid choice (.*) for argument '(.*)'\. Expected": r"\2 \1: expected",
    r"^Missing value for argument '(.*)'\. Expected 1 values\.": (
        r"\1: expected a value"
    ),
    r"^Missing value for argument '(.*)'\. Expected (.*)\.": (
        r"\1: expected \2"
    ),
}
# What other programs call our flags, beside what is spelled alike.
OTHER_NAMES = {
    "peak_lr": "lr learning_rate max_lr base_lr initial_lr lr_max eta",
    "batch_size": "bs b batch batchsize mini_batch train_batch_size",
    "epochs": "epoch e n_epochs num_epochs max_epochs steps max_steps",
    "weight_decay": "wd decay l2 weightdecay",
    "dropout_rate": "dropout drop p_dropout drop_rate",
    "cutout_size": "cutout cutout_length random_erasing",
    "pad_each_side": "pad padding crop_padding",
    "bn_keep": "bn_momentum batch_norm_momentum",
    "bn_eps": "eps epsilon",
    "width": "channels base_channels width_multiplier",
    "precision": "dtype amp fp16 bf16 fp32 half mixed_precision",
    "devices": "gpus n_gpus num_gpus ngpus world_size nproc",
    "device": "gpu cuda cpu use_cuda no_cuda accelerator platform",
    "mode": "eager compile compiled jit no_compile no_jit",
    "preset": "config model recipe arch",
    "data_dir": "data data_path dataset_dir data_root datadir",
    "out": "output output_dir o save_dir log_dir logdir run_dir",
    "load": "checkpoint ckpt init_from weights pretrained load_from restore",
    "resume": "continue resume_from auto_resume",
    "seed": "random_seed manual_seed rng_seed",
    "tensorboard": "tb use_tensorboard",
    "debug": "verbose v trace traceback",
}


def first_sentence(box: str) -> str:
    """The first part of the message that tyro draws a frame around."""
    _title, *parts = re.split(r"\n *-{5,} *\n", box)
    sentence = " ".join((parts or [box])[0].split())
    for theirs, ours in PLAIN.items():
        sentence = re.sub(theirs, ours, sentence)
    return f"{sentence.rstrip('.')} {HELP}"


def name_unknown(words: Sequence[str]) -> str:
    """What to say of words that are no flags, and which were perhaps meant."""
    flags = [word.partition("=")[0] for word in words if word[:1] == "-"]
    if not flags:
        return f"{' '.join(words)}: expected flags only {HELP}"
    meant = list(dict.fromkeys(filter(None, map(closest_flag, flags))))
    perhaps = f"; perhaps you meant {', '.join(meant)}" if meant else ""
    what = "no such flag" + "s" * (len(flags) > 1)
    return f"{', '.join(flags)}: {what}{perhaps} {HELP}"


def closest_flag(unknown: str) -> str | None:
    """The flag that is most like one that does not exist; None if none is.

    unknown: as it was written, with its dashes.
    """
    known = [field.name for part in (Run, Recipe) for field in fields(part)]
    word = unknown.lstrip("-").replace("-", "_").lower()
    for name, others in OTHER_NAMES.items():
        if word in others.split():
            return _flag(name)
    parts = [name for name in known if word in name.split("_")]
    alike = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return _flag((alike or parts)[0]) if alike or parts else None


def _flag(field: str) -> str:
    return "--" + field.replace("_", "-")
