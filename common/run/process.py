"""What must be set before a framework starts: its environment, the allocator.

A framework reads its environment variables once, most of them when it is
imported. Those that another project needs (`KERAS_BACKEND=torch`,
`JAX_ENABLE_X64=1`, a flag of another XLA) would change what is computed
here, or end in a traceback.
"""

import ctypes
import os
import sys
from contextlib import suppress
from fnmatch import fnmatchcase
from importlib.metadata import PackageNotFoundError, version

from common.environments import FRAMEWORKS
from common.errors import DeviceError
from common.recipe import Recipe

# By framework: the variables that change what it computes. TensorFlow's are
# named one by one: Terraform's begin with TF_, too.
READERS = {
    "tensorflow_eager": (
        *("KERAS_*", "TF_KERAS", "TF_USE_LEGACY_KERAS", "TF2_BEHAVIOR"),
        *("XLA_FLAGS", "TF_XLA_*", "TF_JITRT_FLAGS", "TF_*JIT_COMPILE*"),
        *("TF_*MIXED_PRECISION*", "TF_*FP16_*", "TF_SET_ONEDNN_*"),
        *("TF_ENABLE_*_V2", "TF_ENABLE_MAXPOOL_NANPROP", "AUTOGRAPH_*"),
        *("TF_RUN_EAGER_OP_AS_FUNCTION", "TF_USE_DEEP_CONV2D"),
    ),
    "pytorch": ("TORCH*", "PYTORCH_*"),
    "jax_flax": ("JAX_*", "FLAX_*", "XLA_FLAGS"),
}
# Of these, what is kept: it chooses hardware, threads, memory, caches, logs
# or the other processes of a training. What any other would change, the
# recipe and the flags decide. A variable that the next release of PyTorch or
# JAX reads is dropped until it is listed here.
KEPT = (
    *("PYTORCH_*ALLOC_CONF", "PYTORCH_NVML_*", "TORCH_LOGS*", "TORCH_TRACE"),
    *("TORCH_CPP_LOG_LEVEL", "TORCH_SHOW_*", "TORCH_NCCL_*", "TORCHELASTIC_*"),
    *("TORCH_DISTRIBUTED_DEBUG", "TORCH_DEVICE_BACKEND_AUTOLOAD"),
    *("TORCHINDUCTOR_*CACHE*", "TORCHINDUCTOR_COMPILE_THREADS", "TORCH_HOME"),
    *("JAX_COMPILATION_CACHE_*", "JAX_PERSISTENT_CACHE_*"),
    *("JAX_ENABLE_COMPILATION_CACHE", "JAX_TRACEBACK_*", "JAX_LOG*"),
    *("JAX_COORDINATOR_*", "JAX_NUM_*", "JAX_PROCESS_ID", "JAX_LOCAL_*"),
    *("JAX_DUMP_*", "JAX_CUDA_*"),
)
# Read by libraries below the frameworks: products in another precision.
DROPPED = (
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
)
# XLA ends the process at a flag that it does not know, and TensorFlow's and
# JAX's XLA know different ones: of XLA_FLAGS these are kept.
XLA_FLAGS_KEPT = (
    "--xla_cpu_max_isa=*",
    "--xla_force_host_platform_device_count=*",
    "--xla_gpu_cuda_data_dir=*",
    "--xla_dump_*",
    "--xla_cpu_experimental_ynn_fusion_type=*",
)
# XLA can give convolutions and sums on a CPU to the YNNPACK library. Its sums
# are faster than XLA's own, its convolutions use one core: with the sums
# alone a step of width 16 takes half the time. XLA ends the process at a flag
# that it does not know, so the flag is for the releases that were tested.
YNN_SUMS = "--xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_REDUCE"
YNN_RELEASES = "0.10."
NEEDED = {
    # Keras takes its back end, its float type and its layout from a file in
    # this folder, for all projects of a user: here from none.
    "tensorflow_eager": {"KERAS_HOME": os.devnull},
    "pytorch": {},
    "jax_flax": {},
}

overruled: list[str] = []
"""Variables that were found and are not used: their names, XLA's flags."""
_too_late: list[str] = []


def set_environment(framework: str) -> None:
    """Give a framework the environment in which the training is defined.

    framework: its folder's name. Called by `frameworks/<name>/__init__.py`,
    before anything there imports the framework.
    """
    patterns = READERS[framework]
    imported = FRAMEWORKS[framework].package in sys.modules
    for name, value in sorted(os.environ.items()):
        wanted = _wanted(name, value, patterns)
        wanted = NEEDED[framework].get(name, wanted)
        if wanted == value:
            continue
        if imported:
            _too_late.append(name)
            continue
        overruled.append(_named(name, value, wanted))
        del os.environ[name]
        if wanted is not None:
            os.environ[name] = wanted
    os.environ |= NEEDED[framework]
    if framework == "jax_flax":
        _add_xla_flags()


def _add_xla_flags() -> None:
    flags = os.environ.get("XLA_FLAGS", "")
    with suppress(PackageNotFoundError):
        tested = version("jaxlib").startswith(YNN_RELEASES)
        if tested and YNN_SUMS.partition("=")[0] not in flags:
            os.environ["XLA_FLAGS"] = f"{flags} {YNN_SUMS}".strip()


def _wanted(name: str, value: str, patterns: tuple[str, ...]) -> str | None:
    """What a variable is to be; None if it is not to be there at all."""
    if name in DROPPED:
        return None
    if not _is_one_of(name, patterns) or _is_one_of(name, KEPT):
        return value
    if name == "XLA_FLAGS":
        flags = [f for f in value.split() if _is_one_of(f, XLA_FLAGS_KEPT)]
        return " ".join(flags) or None
    if name == "JAX_PLATFORMS" and value == "cpu":
        return value  # hides a GPU, as CUDA_VISIBLE_DEVICES does
    return None


def _is_one_of(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _named(name: str, value: str, wanted: str | None) -> str:
    """How a variable is called where some of its flags are still used."""
    if name != "XLA_FLAGS" or wanted is None:
        return name
    kept = wanted.split()
    return f"{name} ({' '.join(f for f in value.split() if f not in kept)})"


def describe_environment() -> str:
    """One line on the variables that are not used; empty if there are none.

    Raises DeviceError if some were read before they could be changed: the
    framework was imported earlier, in the same process.
    """
    if _too_late:
        raise DeviceError(
            f"{', '.join(_too_late)}: set in the environment, and read when "
            "the framework was imported, before this program could overrule "
            f"it; start again after `unset {' '.join(_too_late)}`"
        )
    if not overruled:
        return ""
    return f"not used, from the environment: {', '.join(overruled)}"


# By default glibc gives every large buffer back to the kernel when it is
# freed and gets it again, page by page, at the next step: half the time of a
# training step on a CPU can go into page faults. With these settings memory
# is kept. They are those of the environment variables MALLOC_*, but work for
# a process that has started; they must be set before the framework starts
# its threads. Parameter numbers from glibc's malloc.h, and their values.
SETTINGS = {
    "M_TRIM_THRESHOLD": (-1, 2**31 - 1),  # bytes free before any go back
    "M_MMAP_MAX": (-4, 0),  # buffers mapped one by one: none
    "M_ARENA_MAX": (-8, 1),  # one heap: others are capped at 64 MiB
}
# XLA takes all memory of a step on a CPU as one block, of some 120 kB for each
# image and channel of `prep`. A block near 2 GiB, the largest threshold, goes
# back to the kernel all the same; and where it was, small buffers come to lie,
# so that the next one takes as much memory again, or a third time.
LARGE_BLOCK = 16_384  # images in a batch times width
_settings = {**SETTINGS}


def tune_allocator() -> dict[str, int]:
    """Keep large buffers in the process; returns the settings taken.

    Nothing happens, and the result is empty, where the C library is not
    glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return {}
    return {
        name: value
        for name, (number, value) in _settings.items()
        if mallopt(number, value) == 1
    }


def fit_allocator(framework: str, mode: str, recipe: Recipe) -> None:
    """Map buffers one by one after all, as by default, if one is as large."""
    one_block = (framework, mode) == ("jax_flax", "compiled")
    large = one_block and recipe.width * recipe.batch_size >= LARGE_BLOCK
    _settings["M_MMAP_MAX"] = (-4, 65_536 if large else 0)
    tune_allocator()
