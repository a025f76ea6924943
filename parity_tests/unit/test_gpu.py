"""Why a framework sees no GPU, told with a stand-in for nvidia-smi."""

from pathlib import Path

import pytest

from common.errors import DeviceError
from common.run.gpu import ask_driver, no_gpu


@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch) -> Path:
    """The only folder where programs are found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    return tmp_path


def install(path: Path, prints: str, code: int = 0) -> None:
    """Let nvidia-smi print this, if it is asked for what is wanted."""
    program = path / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --query-gpu=driver_version,compute_cap ] && '
        f"[ \"$2\" = --format=csv,noheader ] && echo '{prints}'\nexit {code}\n"
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
