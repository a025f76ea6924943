"""What a program does where there is a GPU, without one."""

import json
import re
from collections.abc import Callable

import pytest

from parity_tests.gpu.__main__ import CHECKS
from parity_tests.programs.program import Ended


def test_where_there_is_a_gpu_it_is_taken_with_its_own_defaults(program):
    """As docs/gpu.md says; the GPU is a stand-in, nothing is trained."""
    output = program.module("with_gpu", program.framework)
    said = json.loads(output.splitlines()[-1])
    assert said.pop("tf32") == [False, True]  # as configured, and changed
    assert said.pop("full") == 78  # its memory
    [line] = said.pop("told").splitlines()
    assert "take a smaller --batch-size or --width" in line
    text = re.sub("[│\\s]+", " ", said.pop("help"))
    name = "a stand-in for a GPU"
    assert said == {"auto": name, "gpu": name, "cpu": "cpu", "exit code": 0}
    assert "those of --preset dawnbench on a GPU" in text
    modes = {"tensorflow_eager": "eager"}
    mode = modes.get(program.framework, "compiled")
    assert f"own way (default: {mode})" in text
    assert "meant for tests (default: bfloat16)" in text


# --- On paper -----------------------------------------------------------


@pytest.fixture(scope="session")
def facts(programs, once) -> Callable[[str], dict]:
    """What a module of parity_tests/gpu finds out of its framework."""

    def get(framework: str) -> dict:
        def make(folder) -> list[Ended]:
            module = f"parity_tests.gpu.{framework}"
            result = programs[framework].run_words("-m", module)
            assert result.returncode == 0, result.stderr
            return [Ended(0, result.stdout, result.stderr)]

        [end] = once.get(f"{framework}-on-paper", make)
        return json.loads(end.stdout.splitlines()[-1])

    return get


@pytest.mark.parametrize("framework", ["tensorflow_eager", "pytorch"])
def test_every_claim_that_gpu_paper_judges_holds(facts, framework):
    """A kernel for every op, no copy in a step, a graph for each batch size."""
    assert CHECKS[framework](facts(framework)) == []


# Of TensorFlow, in an epoch: six arrays of draws and the learning rates go to
# the GPU, two sums come back.
EPOCH = {"an array is copied to the GPU": 7, "a tensor is read by Python": 2}
# Eagerly with dropout: Python's zeros of the generator's counter; how many
# numbers a mask takes is computed on the GPU, and the host must know.
MASK = {
    "Cast: x is copied to the GPU's memory",
    "Prod: input is copied to the GPU's memory",
    "RngReadAndSkip: delta is copied to the host's memory",
}


def test_in_a_step_of_tensorflow_only_eager_dropout_crosses(facts):
    for case, stages in facts("tensorflow_eager")["cases"].items():
        assert len(stages) == 8
        assert all(seen["ops"] > 0 for seen in stages.values()), case
        eager = case.startswith("eager") and not case.endswith("dropout 0")
        copies = stages["train step"]["copies"]
        assert copies.keys() == (MASK if eager else set()), case
        if not eager:
            assert stages["epoch"]["copies"] == EPOCH, case
        assert not stages["evaluation batches"]["copies"], case


def test_in_a_step_of_pytorch_nothing_crosses(facts):
    """Its tensors are made where the images are; on "meta" one can tell."""
    cases = facts("pytorch")["eager"]
    on_meta = [stages for case, stages in cases.items() if "meta" in case]
    assert len(on_meta) == 2
    for stages in on_meta:
        crossed = {s: seen["copies"] for s, seen in stages.items()}
        # Images and labels twice; six arrays of draws, once for an epoch.
        assert crossed.pop("data") == {"_to_copy": 4}
        assert crossed.pop("batches") == {"_to_copy": 6}
        assert not any(crossed.values()), crossed
        assert stages["train step"]["kernels"] > 70
