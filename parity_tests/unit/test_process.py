"""The environment of a framework: what is kept, changed and told."""

import os
import sys
import types

import pytest

from common.environments import FRAMEWORKS
from common.errors import DeviceError
from common.run import process
from common.run.process import describe_environment, set_environment

# The flag that lets XLA use YNNPACK on a CPU.
YNN = "--xla_cpu_experimental_ynn_fusion_type"


@pytest.fixture(autouse=True)
def environment(monkeypatch) -> dict[str, str]:
    """An environment and a memory of one's own, both empty."""
    mine = {}
    monkeypatch.setattr(os, "environ", mine)
    monkeypatch.setattr(process, "overruled", [])
    monkeypatch.setattr(process, "_too_late", [])
    for package in ("tensorflow", "torch", "jax"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    return mine


@pytest.mark.parametrize(
    ("framework", "name", "value"),
    [
        ("tensorflow_eager", "KERAS_BACKEND", "torch"),
        ("tensorflow_eager", "TF_USE_LEGACY_KERAS", "1"),
        ("tensorflow_eager", "TF_XLA_FLAGS", "--tf_xla_auto_jit=2"),
        ("tensorflow_eager", "TF_SET_ONEDNN_FPMATH_MODE", "BF16"),
        ("tensorflow_eager", "TF2_BEHAVIOR", "0"),
        ("tensorflow_eager", "XLA_FLAGS", "--xla_nonsense"),
        ("jax_flax", "XLA_FLAGS", "/gone/flags.txt"),
        ("jax_flax", "JAX_PLATFORMS", "cuda"),
        ("jax_flax", "JAX_ENABLE_X64", "1"),
        ("jax_flax", "JAX_DISABLE_JIT", "1"),
        ("jax_flax", "JAX_DEBUG_NANS", "1"),
        ("jax_flax", "JAX_NUMPY_DTYPE_PROMOTION", "strict"),
        ("jax_flax", "JAX_DEFAULT_MATMUL_PRECISION", "bfloat16"),
        ("jax_flax", "FLAX_USE_ORBAX_CHECKPOINTING", "banana"),
        ("pytorch", "TORCHDYNAMO_DISABLE", "1"),
        ("pytorch", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1"),
        ("pytorch", "PYTORCH_JIT", "0"),
        ("pytorch", "NVIDIA_TF32_OVERRIDE", "1"),
        ("jax_flax", "ONEDNN_DEFAULT_FPMATH_MODE", "BF16"),
    ],
)
def test_a_setting_of_another_project_is_taken_away_and_told(
    environment, framework, name, value
):
    environment[name] = value
    set_environment(framework)
    assert name not in environment
    assert describe_environment() == f"not used, from the environment: {name}"


@pytest.mark.parametrize(
    ("framework", "name", "value"),
    [
        ("tensorflow_eager", "TF_ENABLE_ONEDNN_OPTS", "0"),
        ("tensorflow_eager", "TF_CPP_MIN_LOG_LEVEL", "2"),
        ("tensorflow_eager", "XLA_FLAGS", "--xla_cpu_max_isa=AVX2"),
        ("tensorflow_eager", "TF_VAR_name", "Terraform's"),
        ("tensorflow_eager", "JAX_ENABLE_X64", "1"),  # JAX does not run
        ("pytorch", "XLA_FLAGS", "--xla_nonsense"),
        ("pytorch", "TORCHINDUCTOR_CACHE_DIR", "/x"),
        ("pytorch", "OMP_NUM_THREADS", "1"),
        ("pytorch", "CUDA_VISIBLE_DEVICES", ""),
        ("jax_flax", "JAX_COMPILATION_CACHE_DIR", "/x"),
        ("jax_flax", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1"),
        ("jax_flax", "JAX_PLATFORMS", "cpu"),
        ("jax_flax", "XLA_FLAGS", "--xla_gpu_cuda_data_dir=/x"),
        ("jax_flax", "XLA_FLAGS", "--xla_force_host_platform_device_count=2"),
        ("jax_flax", "XLA_FLAGS", "--xla_dump_to=/x --xla_dump_hlo_as_text"),
    ],
)
def test_hardware_threads_caches_and_logs_are_the_users(
    environment, framework, name, value
):
    environment[name] = value
    set_environment(framework)
    assert environment[name] == value
    assert describe_environment() == ""


def test_of_xlas_flags_the_known_ones_stay(environment):
    environment["XLA_FLAGS"] = "--xla_a=1 --xla_cpu_max_isa=AVX2 --xla_b"
    set_environment("jax_flax")
    assert environment["XLA_FLAGS"] == "--xla_cpu_max_isa=AVX2"
    assert describe_environment().endswith(": XLA_FLAGS (--xla_a=1 --xla_b)")


@pytest.mark.parametrize(
    ("release", "before", "after"),
    [
        ("0.10.2", None, process.YNN_SUMS),
        (
            *("0.10.2", "--xla_cpu_max_isa=AVX2"),
            f"--xla_cpu_max_isa=AVX2 {process.YNN_SUMS}",
        ),
        # The user's own choice.
        ("0.10.2", f"{YNN}=NONE", f"{YNN}=NONE"),
        # XLA may end at a flag of another release.
        ("0.11.0", "--xla_cpu_max_isa=AVX2", "--xla_cpu_max_isa=AVX2"),
        ("0.9.2", None, None),
    ],
)
def test_jax_sums_by_ynnpack_where_that_was_tested(
    environment, monkeypatch, release, before, after
):
    monkeypatch.setattr(process, "version", {"jaxlib": release}.get)
    if before:
        environment["XLA_FLAGS"] = before
    set_environment("jax_flax")
    assert environment.get("XLA_FLAGS") == after
    assert describe_environment() == ""


def test_keras_reads_no_file_of_the_user(environment):
    set_environment("tensorflow_eager")
    assert environment["KERAS_HOME"] == os.devnull
    assert describe_environment() == ""
    environment["KERAS_HOME"] = "/mine"
    set_environment("tensorflow_eager")
    assert environment["KERAS_HOME"] == os.devnull
    assert describe_environment().endswith(": KERAS_HOME")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_was_read_already_ends_in_one_line_with_78(
    environment, monkeypatch, framework
):
    package = FRAMEWORKS[framework].package
    monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
    environment["NVIDIA_TF32_OVERRIDE"] = "1"
    set_environment(framework)
    with pytest.raises(DeviceError, match=r"`unset NVIDIA_TF32_OVERRIDE`"):
        describe_environment()
    assert DeviceError.exit_code == 78
