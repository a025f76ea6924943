"""Why a framework sees no GPU, in one line.

The commonest reasons: a build for the CPU, and a driver that is older than
what the build needs. Numbers are from NVIDIA's "CUDA Toolkit Release Notes"
(drivers) and from the architectures that CUDA 13 still compiles for.
"""

import os
import shutil
import subprocess
from collections.abc import Callable

from common.errors import DeviceError
from common.run.terminal import say

# By major version of CUDA: the oldest driver, the oldest compute capability.
NEEDS = {"12": (525, 5.0), "13": (580, 7.5)}
# With these values no framework sees a GPU.
HIDING = {"CUDA_VISIBLE_DEVICES": ("", "-1"), "JAX_PLATFORMS": ("cpu",)}


def no_gpu(
    asked: str,
    library: str,
    cuda: str | None,
    start: Callable[[], object] | None = None,
) -> None:
    """Tell that a framework sees no GPU, and why.

    asked: the value of `--device`. cuda: the version of CUDA that the build
    is for, "13.0"; None for a CPU build. start: what makes the framework
    start its GPUs, and raises its own reason. Raises DeviceError if a GPU is
    asked for. Says nothing if it is not, on a machine without nvidia-smi.
    """
    if asked == "cpu" or (asked == "auto" and not shutil.which("nvidia-smi")):
        return
    why = f"{library} sees no GPU: {explain(library, cuda, start)}"
    if asked == "gpu":
        raise DeviceError(f"--device gpu: {why}")
    say(f"nvidia-smi is here, but {why}; the CPU is used")


def explain(
    library: str, cuda: str | None, start: Callable[[], object] | None
) -> str:
    """The reason, as far as this program can find it."""
    driver, capability, failure = ask_driver()
    if cuda is None:
        build = "the build for the CPU is installed here"
        if failure:
            return f"{build}, and {failure}"
        return (
            f"{build}, and driver {driver} was found; started by nox, it "
            "gets an environment for the GPU beside this one"
        )
    for name, values in HIDING.items():
        own = name.startswith("CUDA") or library == "JAX"
        if own and os.environ.get(name) in values:
            return f"{name}={os.environ[name]} hides it"
    if failure:
        return failure
    needed, oldest = NEEDS.get(cuda.partition(".")[0], (0, 0.0))
    if int(driver.partition(".")[0]) < needed:
        return (
            f"its build is for CUDA {cuda}, which needs driver {needed} or "
            f"newer; driver {driver} was found"
        )
    if capability < oldest:
        return (
            f"its build is for CUDA {cuda}, which needs compute capability "
            f"{oldest}; this GPU has {capability}"
        )
    return f"{_first_line(start)} (driver {driver}, build for CUDA {cuda})"


def ask_driver() -> tuple[str, float, str]:
    """Version and compute capability that nvidia-smi tells of the first GPU.

    The third is "", or in a line why there is neither.
    """
    words = ["nvidia-smi", "--query-gpu=driver_version,compute_cap"]
    try:
        done = subprocess.run(
            [*words, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
        )
        version, capability = done.stdout.splitlines()[0].split(", ")
        int(version.partition(".")[0])
        return version, float(capability), ""
    except FileNotFoundError:
        return "", 0.0, "nvidia-smi is not found: there is no NVIDIA driver"
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", 0.0, f"nvidia-smi does not answer: {error}"
    except (ValueError, IndexError):
        lines = (done.stdout + done.stderr).strip().splitlines()
        said = lines[0] if lines else f"nothing (exit code {done.returncode})"
        return "", 0.0, f"nvidia-smi says: {said}"


def _first_line(start: Callable[[], object] | None) -> str:
    """What starting the GPUs fails with."""
    try:
        if start:
            start()
    except Exception as error:
        return str(error).strip().partition("\n")[0]
    return "it does not say why"
