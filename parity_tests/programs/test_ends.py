"""How a program ends: every exit code, in every phase of a training."""

import re
import signal
from pathlib import Path

import numpy as np
import pytest

from common.cifar10.cache import FOLDER, cache_lock
from parity_tests.programs.kills import compare, epochs_of
from parity_tests.programs.program import (
    TINY,
    Ended,
    about,
    arrays,
    errors,
)

SYNTHETIC = TINY[:4]
# By name: the exit code, words of the line that says why, and the flags.
REFUSED = {
    "preset": (2, "--preset huge", (*SYNTHETIC, "--preset", "huge")),
    "epochs": (2, "--epochs 0", (*SYNTHETIC, "--epochs", 0)),
    "batch": (2, "--batch-size 50001", (*SYNTHETIC, "--batch-size", 50_001)),
    "resume": (2, "--resume", (*SYNTHETIC, "--resume")),
    "data": (65, "no/such/place", ("--data-dir", "no/such/place")),
    "load": (65, "no.safetensors", (*SYNTHETIC, "--load", "no.safetensors")),
    "offline": (69, "--offline", ("--offline",)),
    "not finite": (70, "epoch 1", (*TINY, "--peak-lr", 1e30)),
    "file/run": (74, "file/run", TINY),
    "gpu": (78, "no GPU", (*TINY, "--device", "gpu")),
}
# And two that end well.
DONE = {"help": ("--device", "auto", "--help"), "seed 2": (*TINY, "--seed", 2)}


@pytest.fixture(scope="session")
def ended(program, once):
    """By name, how each command of REFUSED and DONE ended."""

    def make(folder: Path) -> list[Ended]:
        (folder / "file").write_text("")
        commands = {
            folder / name: flags for name, (_, _, flags) in REFUSED.items()
        }
        commands |= {folder / name: flags for name, flags in DONE.items()}
        cache = str(folder / "cache")
        return program.mains(commands, DAVIDNET_CACHE=cache)

    found = once.get(f"{program.framework}-ended", make)
    return dict(zip([*REFUSED, *DONE], found, strict=True))


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_ends_in_one_line_and_a_code(ended, name):
    code, words, _ = REFUSED[name]
    end = ended[name]
    assert end.code == code, end
    [line] = errors(end)
    assert words in line
    assert "Traceback" not in end.stderr
    if code in (2, 78):
        assert not end.folder.exists()
    if code == 70:
        assert about(end.folder)["status"] == "failed"


def test_the_code_is_that_of_the_process(program, tmp_path):
    _, words, flags = REFUSED["gpu"]
    result = program.run(*flags, "--out", tmp_path / "run")
    assert result.returncode == 78, result.stdout + result.stderr
    assert words in result.stderr
    assert not (tmp_path / "run").exists()


def test_without_a_gpu_the_small_preset_is_taken(ended):
    text = re.sub("[│\\s]+", " ", ended["help"].stdout)
    assert "those of --preset small" in text


def test_another_seed_is_another_training(ended, whole):
    """That the same seed is the same one, resumed runs show."""
    other = ended["seed 2"]
    assert other.code == 0, other.stderr
    one, two = arrays(whole.folder), arrays(other.folder)
    assert not np.array_equal(one["prep.conv.kernel"], two["prep.conv.kernel"])


# --- Signals ------------------------------------------------------------


def imports(framework: str):
    """Whether a process has begun to import the framework."""
    library = {
        "tensorflow_eager": "tensorflow",
        "pytorch": "torch",
        "jax_flax": "jaxlib",
    }[framework]

    def seen(pid: int) -> bool:
        maps = Path(f"/proc/{pid}/maps").read_text()
        return f"site-packages/{library}/" in maps

    return seen


def test_ctrl_c_while_the_data_are_waited_for_is_130(program, tmp_path):
    cache, log = tmp_path / "cache", tmp_path / "log"
    with cache_lock(cache / FOLDER, print):
        code = program.run_until(
            lambda pid: "waiting" in log.read_text(),
            signal.SIGINT,
            log,
            *(*TINY, "--dataset", "cifar10", "--out", tmp_path / "run"),
            DAVIDNET_CACHE=str(cache),
        )
    assert code == 130, log.read_text()
    assert "Traceback" not in log.read_text()
    assert about(tmp_path / "run")["status"] == "interrupted"


def test_a_training_stopped_in_every_phase_and_resumed_has_the_same_bits(
    program, whole, tmp_path
):
    """Order and masks come from seed, epoch and step alone."""
    out, log = tmp_path / "run", tmp_path / "run.log"
    flags = (*TINY, "--mode", program.default_mode, "--out", out)

    def stop(seen, number: int) -> int:
        return program.run_until(seen, number, log, *flags)

    # The signal itself ends the process; a shell calls that 130.
    code = stop(imports(program.framework), signal.SIGINT)
    assert code == -signal.SIGINT, log.read_text()
    assert "Traceback" not in log.read_text()
    assert not out.exists()

    def data_are_loaded(pid: int) -> bool:
        return (out / "run.json").exists() and about(out)["data"] is not None

    assert stop(data_are_loaded, signal.SIGINT) == 130, log.read_text()
    assert about(out)["status"] == "interrupted"
    assert not (out / "metrics.jsonl").exists()

    flags = (*flags, "--resume")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        before = epochs_of(out)

        def trains(pid: int, before: int = before) -> bool:
            kept = (out / "checkpoint.safetensors").exists()
            return kept and epochs_of(out) > before

        assert stop(trains, number) == code, log.read_text()
        assert about(out)["status"] == "interrupted"
        assert "--resume" in log.read_text()
        assert before < epochs_of(out) < 8

    result = program.run(*flags)
    assert result.returncode == 0, result.stderr
    compare(whole.folder, out)
