"""Why a framework sees no GPU, told with a stand-in for nvidia-smi."""

import os
from pathlib import Path

import pytest

from common.errors import DeviceError
from common.run import gpu
from common.run.cli import guarded
from common.run.gpu import ask_driver, explain_failure, no_gpu

DRIVER = "--query-gpu=driver_version,compute_cap"
PLACES = "--query-gpu=index,uuid"
MEMORY = "--query-gpu=memory.used,memory.total,uuid"
PROCESSES = "--query-compute-apps=pid,gpu_uuid"


@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch) -> Path:
    """The only folder where programs are found; the kernel has no driver."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setattr(gpu, "DRIVER_FILE", tmp_path / "version")
    return tmp_path


def install(path: Path, driver: str, code: int = 0, **others: str) -> None:
    """Let nvidia-smi print these answers, for the queries of gpu.py."""
    answers = {DRIVER: driver}
    answers |= {globals()[name]: text for name, text in others.items()}
    cases = "".join(
        f"'{query}') echo '{text}';;\n" for query, text in answers.items()
    )
    program = path / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\n[ "$2" = --format=csv,noheader ] || exit 3\n'
        f'case "$1" in\n{cases}esac\nexit {code}\n'
    )
    program.chmod(0o755)


def fail() -> None:
    raise RuntimeError("CUDA unknown error\nand more")


def why(library: str, cuda: str | None) -> str:
    """The line that --device gpu ends with."""
    with pytest.raises(DeviceError) as stop:
        no_gpu("gpu", library, cuda, fail)
    line = str(stop.value)
    assert "\n" not in line
    assert line.startswith(f"--device gpu: {library} sees no GPU: ")
    return line


def test_without_a_driver():
    assert "there is no NVIDIA driver" in why("PyTorch", "13.0")
    line = why("PyTorch", None)
    assert "the build for the CPU is installed here" in line
    assert "there is no NVIDIA driver" in line


@pytest.mark.parametrize(
    ("prints", "cuda", "words"),
    [
        ("550.54.15, 9.0", "13.0", "driver 580 or newer; driver 550.54.15"),
        ("470.1, 8.0", "12.5.1", "driver 525 or newer; driver 470.1"),
        ("580.82.07, 7.0", "13", "compute capability 7.5; this GPU has 7.0"),
        ("580.82.07, 9.0", "13.0", "CUDA unknown error (driver 580.82.07"),
        # The oldest that will do.
        ("525.60.13, 6.0", "12.5.1", "CUDA unknown error (driver 525.60.13"),
        ("580.65.06, 7.5", "13.0", "CUDA unknown error (driver 580.65.06"),
        ("580.82.07, 9.0", None, "and driver 580.82.07 was found"),
        ("No devices were found", "13.0", "says: No devices were found"),
        ("", "13.0", "nvidia-smi says: nothing (exit code 0)"),
    ],
)
def test_what_was_found_and_what_the_build_needs(path, prints, cuda, words):
    install(path, prints)
    assert words in why("PyTorch", cuda)


def test_a_failing_nvidia_smi_is_quoted(path):
    install(path, "NVIDIA-SMI has failed\nbecause", code=9)
    assert "nvidia-smi says: NVIDIA-SMI has failed" in why("JAX", "13")


def test_variables_that_hide_a_gpu_are_named(path, monkeypatch):
    install(path, "580.82.07, 9.0")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert "JAX_PLATFORMS=cpu hides it" in why("JAX", "13")
    assert "hides" not in why("PyTorch", "13.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES= hides it" in why("PyTorch", "13.0")


def test_auto_tells_only_where_a_driver_is(path, capsys):
    no_gpu("auto", "PyTorch", None)
    assert capsys.readouterr().out == ""
    install(path, "550.54.15, 9.0")
    no_gpu("auto", "PyTorch", "13.0")
    [line] = capsys.readouterr().out.splitlines()
    assert "driver 580 or newer; driver 550.54.15 was found" in line
    assert line.endswith("the CPU is used")
    no_gpu("cpu", "PyTorch", "13.0")
    assert capsys.readouterr().out == ""


def test_the_drivers_first_line_is_of_the_first_gpu(path):
    install(path, "580.82.07, 9.0\n580.82.07, 8.0")
    assert ask_driver() == ("580.82.07", 9.0, "")


# --- Which GPUs are meant -----------------------------------------------

TWO = "0, GPU-5a5b\n1, GPU-7c7d"


@pytest.mark.parametrize("value", ["2", "7,0", "zero", "GPU-9", "2, 0"])
def test_a_gpu_that_is_not_there_is_named(path, monkeypatch, value):
    install(path, "580.82.07, 9.0", PLACES=TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    line = why("PyTorch", "13.0")
    assert f"CUDA_VISIBLE_DEVICES={value} names no GPU" in line
    assert "which has 0, 1; correct it, or `unset CUDA_VISIBLE_" in line


@pytest.mark.parametrize("value", ["0", "1,7", "GPU-7c", "MIG-1", " 1"])
def test_one_that_is_there_is_not_the_reason(path, monkeypatch, value):
    install(path, "580.82.07, 9.0", PLACES=TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert "CUDA unknown error" in why("PyTorch", "13.0")


def test_without_nvidia_smi_the_kernel_tells_the_driver(path):
    (path / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat\n"
    )
    assert ask_driver() == ("535.104.05", 0.0, "")
    assert "driver 580 or newer; driver 535.104.05" in why("JAX", "13")
    assert "CUDA unknown error" in why("TensorFlow", "12.5.1")
    (path / "version").write_text("nothing to read")
    assert "there is no NVIDIA driver" in why("JAX", "13")


# --- What fails later ---------------------------------------------------

# As the three frameworks, CUDA and NumPy say it.
FULL = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total",
    "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes.",
    "RESOURCE_EXHAUSTED: Failed to allocate request for 1.00GiB on device",
    "OOM when allocating tensor with shape[512,32,32,64] and type float",
    "INTERNAL: failed to retain context: CUDA_ERROR_OUT_OF_MEMORY",
)
HOST = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 1"


@pytest.mark.parametrize("text", FULL)
def test_memory_that_others_have_is_told(path, text):
    """Of the GPU that this process has, not of the first or the fullest."""
    processes = f"{os.getpid()}, GPU-b\n4711, GPU-b\n4712, GPU-a"
    used = "81500 MiB, 81559 MiB, GPU-a\n81000 MiB, 81559 MiB, GPU-b"
    install(path, "", MEMORY=used, PROCESSES=processes)
    line = explain_failure(RuntimeError(f"{text}\nand more"))
    assert "the GPU's memory is full, 81000 MiB of 81559 MiB" in line
    assert "(processes 4711): end them, take another GPU by" in line
    assert line.endswith(f"({text})")


def test_memory_that_this_training_fills_is_told(path):
    install(path, "", MEMORY="81000 MiB, 81559 MiB, GPU-a", PROCESSES="")
    line = explain_failure(RuntimeError(FULL[0]))
    assert "81000 MiB of 81559 MiB: take a smaller --batch-size" in line


@pytest.mark.parametrize("error", [RuntimeError(HOST), MemoryError()])
def test_memory_of_the_host_that_is_short_is_told(path, error):
    """Also on a machine with a GPU, whose memory is not meant."""
    install(path, "", MEMORY="3 MiB, 81559 MiB, GPU-a", PROCESSES="")
    line = explain_failure(error)
    assert line.startswith("there is not enough memory: take a smaller")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "CUDA error: no kernel image is available for execution on the",
            "no code for so old a GPU",
        ),
        ("CUDA driver version is insufficient for CUDA", "install a newer one"),
        ("CUDA-capable device(s) is/are busy or unavailable", "wait for it"),
        ("Uncorrectable ECC error encountered", "take another GPU"),
        ("ncclInvalidUsage: Duplicate GPU detected", "another one for each"),
        ("Failed to find C compiler. Please specify via CC", "install g++"),
        ("InvalidCxxCompiler: No working C++ compiler found", "install g++"),
    ],
)
def test_what_a_gpu_fails_with_ends_in_one_line_and_78(capsys, text, words):
    def work():
        raise RuntimeError(f"{text}\nCompile with TORCH_USE_CUDA_DSA")

    assert guarded(work, debug=False) == DeviceError.exit_code
    [line] = capsys.readouterr().err.splitlines()
    assert words in line
    assert line.endswith(f"({text})")


def test_other_errors_stay_unforeseen(capsys):
    def work():
        raise RuntimeError("shapes do not match")

    assert guarded(work, debug=False) == 1
    assert "unforeseen RuntimeError: shapes" in capsys.readouterr().err
