"""Settings of other projects, in the environment and in Keras's file."""

import json
import os

from parity_tests.programs.kills import compare
from parity_tests.programs.program import TINY, errors, on_cpu

# Each of these alone ends a start in a traceback, or changes the result.
SETTINGS = {
    "KERAS_BACKEND": "torch",
    "TF_USE_LEGACY_KERAS": "1",
    "TF_XLA_FLAGS": "--tf_nonsense",
    "XLA_FLAGS": "--xla_nonsense=1",
    "JAX_PLATFORMS": "cuda",
    "JAX_ENABLE_X64": "banana",
    "JAX_DISABLE_JIT": "1",
    "JAX_DEBUG_NANS": "1",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_DEFAULT_DTYPE_BITS": "32",
    "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "PYTORCH_JIT": "0",
    "NVIDIA_TF32_OVERRIDE": "1",
}
KERAS_JSON = {
    "backend": "torch",
    "floatx": "float16",
    "epsilon": 1e-2,
    "image_data_format": "channels_first",
}


def test_settings_of_other_projects_change_nothing(program, whole, tmp_path):
    keras = tmp_path / "home" / ".keras"
    keras.mkdir(parents=True)
    (keras / "keras.json").write_text(json.dumps(KERAS_JSON))
    others = SETTINGS | {"HOME": str(tmp_path / "home")}
    result = program.run(*TINY, "--out", tmp_path / "run", **others)
    assert result.returncode == 0, result.stderr
    said = "not used, from the environment: "
    assert said in result.stdout
    assert said not in whole.stdout
    compare(whole.folder, tmp_path / "run")


def test_a_framework_that_was_imported_first_is_told_in_one_line(
    program, tmp_path
):
    package = {"tensorflow_eager": "tensorflow", "pytorch": "torch"}
    first = package.get(program.framework, "jax")
    start = f"import sys, {first}; from frameworks.{program.framework}"
    start += ".train import main; sys.exit(main(sys.argv[1:]))"
    words = on_cpu((*TINY, "--out", tmp_path / "run"))
    result = program.run_words("-c", start, *words, NVIDIA_TF32_OVERRIDE="1")
    assert result.returncode == 78, result.stderr
    [line] = errors(result)
    assert "NVIDIA_TF32_OVERRIDE" in line


LOOK = """
from frameworks.{0}.data import find_device
find_device("auto")
find_device("gpu")
"""


def test_where_the_driver_is_and_no_gpu_is_seen_both_say_why(program, tmp_path):
    """The driver is a stand-in; a GPU that is there is hidden."""
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho '580.82.07, 9.0'\n")
    smi.chmod(0o755)
    result = program.run_words(
        *("-c", LOOK.format(program.framework)),
        PATH=f"{tmp_path}:{os.environ['PATH']}",
    )
    [auto] = result.stdout.splitlines()
    wanted = result.stderr.splitlines()[-1]
    assert auto.startswith("nvidia-smi is here, but ")
    assert auto.endswith("; the CPU is used")
    assert wanted.startswith("common.errors.DeviceError: --device gpu: ")
    for line in (auto, wanted):
        assert " sees no GPU: " in line
        assert "driver 580.82.07" in line or "hides it" in line
