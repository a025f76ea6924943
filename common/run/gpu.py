"""Why a framework sees no GPU, or why one fails, in one line each.

The commonest reasons: a build for the CPU, and a driver that is older than
what the build needs. Numbers are from NVIDIA's "CUDA Toolkit Release Notes"
(drivers), and the oldest architectures that the builds have code for: CUDA
13's, and those of TensorFlow's wheel for CUDA 12.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from common.errors import DeviceError
from common.run.terminal import say

# By major version of CUDA: the oldest driver, the oldest compute capability.
NEEDS = {"12": (525, 6.0), "13": (580, 7.5)}
# With these values no framework sees a GPU.
HIDING = {"CUDA_VISIBLE_DEVICES": ("", "-1"), "JAX_PLATFORMS": ("cpu",)}
VISIBLE = "CUDA_VISIBLE_DEVICES"
# Where the kernel tells the driver's version, in a container without
# nvidia-smi too.
DRIVER_FILE = Path("/proc/driver/nvidia/version")
# What a GPU fails with after it was seen, in the words of CUDA, of its
# libraries and of the three frameworks; and the cause with the way out.
HOST = ("defaultcpuallocator", "by allocator cpu")
NO_MEMORY = (
    *("out of memory", "resource_exhausted", "oom when allocating"),
    *("can't allocate memory", "cuda_error_out_of_memory"),
    *("cublas_status_alloc_failed", "cudnn_status_alloc_failed"),
)
SMALLER = "take a smaller --batch-size or --width"
NO_COMPILER = (
    "torch.compile needs a C++ compiler; install g++, or take --mode eager"
)
FAILURES = {
    "no kernel image is available": "this build has no code for so old a GPU "
    "(docs/gpu.md lists the cards); take another GPU, or --device cpu",
    "driver version is insufficient": "the driver is older than this build "
    "needs; install a newer one (docs/gpu.md lists them), or take --device cpu",
    "busy or unavailable": "another process has the GPU for itself; wait for "
    "it, or take another GPU by CUDA_VISIBLE_DEVICES",
    "uncorrectable ecc": "the GPU's memory is defective; take another GPU",
    "gpu is lost": "the GPU does not answer any more; restart the machine",
    "duplicate gpu": "two processes took the same GPU; name another one for "
    "each by CUDA_VISIBLE_DEVICES",
    "failed to find c compiler": NO_COMPILER,
    "no working c++ compiler": NO_COMPILER,
}


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
    if hidden := find_hidden():
        return hidden
    needed, oldest = NEEDS.get(cuda.partition(".")[0], (0, 0.0))
    if int(driver.partition(".")[0]) < needed:
        return (
            f"its build is for CUDA {cuda}, which needs driver {needed} or "
            f"newer; driver {driver} was found"
        )
    if 0 < capability < oldest:
        return (
            f"its build is for CUDA {cuda}, which needs compute capability "
            f"{oldest}; this GPU has {capability}"
        )
    return f"{_first_line(start)} (driver {driver}, build for CUDA {cuda})"


def ask_driver() -> tuple[str, float, str]:
    """Version and compute capability that nvidia-smi tells of the first GPU.

    The third is "", or in a line why there is neither. Without nvidia-smi the
    kernel tells the version, and the capability is 0.
    """
    try:
        lines = ask_nvidia_smi("--query-gpu=driver_version,compute_cap")
        version, capability = lines[0].split(", ")
        int(version.partition(".")[0])
        return version, float(capability), ""
    except FileNotFoundError:
        found = read_driver_file()
        none = "nvidia-smi is not found: there is no NVIDIA driver"
        return found, 0.0, "" if found else none
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", 0.0, f"nvidia-smi does not answer: {error}"
    except (ValueError, IndexError):
        return "", 0.0, f"nvidia-smi says: {lines[0]}"


def ask_nvidia_smi(query: str) -> list[str]:
    """The lines that nvidia-smi answers with, or says instead.

    Raises OSError or TimeoutExpired if it does not answer.
    """
    done = subprocess.run(
        ["nvidia-smi", query, "--format=csv,noheader"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines or [f"nothing (exit code {done.returncode})"]


def read_driver_file() -> str:
    """The driver's version as the kernel tells it; "" if it has none."""
    try:
        text = DRIVER_FILE.read_text()
    except OSError:
        return ""
    found = re.search(r"Kernel Module\D*(\d[\d.]*)", text)
    return found[1] if found else ""


def find_hidden() -> str:
    """Tell whether CUDA_VISIBLE_DEVICES names what is not there; else "".

    CUDA takes the devices up to the first one that it does not find.
    """
    value = os.environ.get(VISIBLE)
    if value is None:
        return ""
    try:
        lines = ask_nvidia_smi("--query-gpu=index,uuid")
    except (OSError, subprocess.TimeoutExpired):
        return ""
    known = [line.split(", ") for line in lines if ", " in line]
    first = value.partition(",")[0].strip()
    if not known or first.startswith("MIG-"):
        return ""
    for index, uuid in known:
        if first == index or (first[:4] == "GPU-" and uuid.startswith(first)):
            return ""
    places = ", ".join(index for index, _ in known)
    return (
        f"{VISIBLE}={value} names no GPU of this machine, which has "
        f"{places}; correct it, or `unset {VISIBLE}`"
    )


def explain_failure(error: BaseException) -> str:
    """The cause and the way out, if an error is a GPU's; else "".

    Memory that is short on a CPU is told, too.
    """
    text = str(error)
    line = first_line(error)
    for words, told in FAILURES.items():
        if words in text.lower():
            return f"{told} ({line})"
    host = any(words in text.lower() for words in HOST)
    if isinstance(error, MemoryError) or host:
        return f"there is not enough memory: {SMALLER} ({line})"
    if any(words in text.lower() for words in NO_MEMORY):
        return f"{explain_memory()} ({line})"
    return ""


def explain_memory() -> str:
    """Who has the memory of a GPU that is missing, and what to do.

    It is that of this process, where nvidia-smi lists it (not from inside of
    some containers); else the fullest.
    """
    smaller = SMALLER
    try:
        lines = ask_nvidia_smi("--query-compute-apps=pid,gpu_uuid")
        gpus = [
            (float(used.split()[0]), used, total, uuid)
            for used, total, uuid in (
                line.split(", ")
                for line in ask_nvidia_smi(
                    "--query-gpu=memory.used,memory.total,uuid"
                )
            )
        ]
        own = f"{os.getpid()}, "
        mine = [g for g in gpus if f"{own}{g[3]}" in lines]
        _, used, total, uuid = max(mine or gpus)
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
        return f"there is not enough memory: {smaller}"
    others = [
        line.split(", ")[0]
        for line in lines
        if re.fullmatch(rf"\d+, {re.escape(uuid)}", line)
        and not line.startswith(own)
    ]
    found = f"the GPU's memory is full, {used} of {total}"
    if not others:
        return f"{found}: {smaller}"
    return (
        f"{found}, and others have a part of it (processes "
        f"{', '.join(others)}): end them, take another GPU by {VISIBLE}, or "
        f"{smaller}"
    )


def first_line(error: BaseException) -> str:
    """What an error says first."""
    return str(error).strip().partition("\n")[0]


def _first_line(start: Callable[[], object] | None) -> str:
    """What starting the GPUs fails with."""
    try:
        if start:
            start()
    except Exception as error:
        return first_line(error)
    return "it does not say why"
