"""Where each framework is installed, and with which Python.

An environment of its own for each: their CUDA libraries write the same
files. It is a folder in `.nox/`, named like the file in `requirements/` that
it is made from. The kind of machine, cpu or gpu, is part of that name: what
is made on a machine without a GPU is never taken for what needs one.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from common.errors import UsageError


class Framework(NamedTuple):
    """The names of a framework, beside that of its folder."""

    title: str  # for people
    short: str  # in the names of sessions
    requirements: str  # in requirements/ and .nox/
    package: str  # that is imported, and Keras's name of the back end
    mode: str  # of a training on a CPU, if no flag names another


FRAMEWORKS = {  # by folder
    "tensorflow_eager": Framework(
        "TensorFlow", "tf", "tensorflow", "tensorflow", "eager"
    ),
    "pytorch": Framework("PyTorch", "torch", "pytorch", "torch", "eager"),
    "jax_flax": Framework("JAX", "jax", "jax", "jax", "compiled"),
}
TITLES = {folder: names.title for folder, names in FRAMEWORKS.items()}
KINDS = ("cpu", "gpu")
# What all pinned releases have wheels for; `nox -s pins` shows it.
PYTHONS = ("3.11", "3.12", "3.13")
# Where PyTorch's CPU build is, unless pip is configured to find it elsewhere.
PYTORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def machine_kind() -> str:
    """ "gpu" where NVIDIA's driver is installed, "cpu" elsewhere."""
    return "gpu" if shutil.which("nvidia-smi") else "cpu"


def environment_name(framework: str, keras: bool = False) -> str:
    """The environment of a framework on this kind of machine.

    framework: its folder's name. keras: with Keras on top, for the baseline
    of the benchmark; TensorFlow brings Keras along.
    """
    name = f"{FRAMEWORKS[framework].requirements}-{machine_kind()}"
    return (
        f"keras-{name}" if keras and framework != "tensorflow_eager" else name
    )


def find_python(home: Path, framework: str, keras: bool = False) -> Path:
    """The interpreter of an environment in the folder `home`.

    Raises UsageError, which says how it is made, if it is not there.
    """
    name = environment_name(framework, keras)
    path = home.absolute() / name / "bin" / "python"
    if not path.exists():
        raise UsageError(
            f"no environment: {path} is not there; make it by `nox -s {name}`"
        )
    return path


def choose_python(
    running: str, runs: Callable[[str], bool], has_uv: Callable[[], bool]
) -> str | None:
    """The version to make environments with; None for the running Python.

    running: "3.14", the version that runs nox. runs: whether an interpreter
    with a name like "python3.13" is there and starts. has_uv: whether uv may
    fetch one; asked last. Raises UsageError, in one line, if nothing fits.
    """
    if running in PYTHONS:
        return None
    for version in reversed(PYTHONS):
        if runs(f"python{version}"):
            return version
    if has_uv():
        return PYTHONS[-1]
    raise UsageError(
        f"Python {running} does not fit: TensorFlow, PyTorch and JAX as pinned "
        f"have wheels for {PYTHONS[0]} to {PYTHONS[-1]}. Install one of them "
        f"(python{PYTHONS[-1]}), or `.venv/bin/pip install uv`, which fetches "
        "one; then start again"
    )
