"""The examples for clusters in docs/scale/, each against its own schema."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from kubeflow_trainer_api import models
from ruamel.yaml import YAML

FOLDER = Path(__file__).parents[3] / "docs" / "scale"
KINDS = {
    "TrainJob": models.TrainerV1alpha1TrainJob,
    "JobSet": models.JobsetV1alpha2JobSet,
}
# Written by SkyPilot's own code; its package brings 80 others along.
SKYPILOT = Path(__file__).with_name("skypilot-0.14.1.json")


def files(pattern: str) -> list[Path]:
    found = sorted(FOLDER.glob(pattern))
    assert len(found) == 3  # one for each framework
    return found


def parsed(path: Path) -> dict:
    return YAML(typ="safe").load(path)


def name(path: Path) -> str:
    return path.name


def test_all_examples_are_looked_at_here():
    known = {path.name for path in files("*.sbatch")}
    for pattern in ("kubernetes-*.yaml", "skypilot-*.yaml"):
        known |= {path.name for path in files(pattern)}
    known |= {"Dockerfile", "Dockerfile.dockerignore"}
    assert {path.name for path in FOLDER.iterdir()} == known


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=name)
def test_an_example_says_on_what_it_was_not_run(path):
    head = re.match(r"(#.*\n)+", path.read_text())[0]
    assert "NOT RUN" in head


# --- Shell --------------------------------------------------------------


def scripts() -> dict[str, str]:
    """By name, the shell of each example."""
    found = {path.name: path.read_text() for path in files("*.sbatch")}
    for path in files("skypilot-*.yaml"):
        task = parsed(path)
        for part in ("setup", "run"):
            found[f"{path.name}: {part}"] = f"#!/bin/bash\n{task[part]}"
    for path in files("kubernetes-*.yaml"):
        spec = parsed(path)["spec"]
        if "trainer" in spec:
            words = spec["trainer"]["command"]
        else:
            pod = spec["replicatedJobs"][0]["template"]["spec"]["template"]
            words = pod["spec"]["containers"][0]["command"]
        assert words[:2] == ["bash", "-euc"]
        found[path.name] = f"#!/bin/bash\n{words[2]}"
    return found


def shell_faults(text: str) -> str:
    """What shellcheck says of a script; "" if it is content."""
    own = Path(sys.executable).with_name("shellcheck")
    checker = str(own) if own.exists() else shutil.which("shellcheck")
    # PyPI has none for ARM: there it is the distribution's.
    assert checker, "shellcheck is not installed"
    words = [checker, "--shell=bash", "-"]
    done = subprocess.run(words, input=text, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", scripts())
def test_the_shell_has_no_fault(name):
    assert not shell_faults(scripts()[name])


def test_a_fault_of_the_shell_is_seen():
    assert "SC2086" in shell_faults("#!/bin/bash\necho $1\n")


# --- Schemas ------------------------------------------------------------


def kubernetes_problems(document: dict) -> list[str]:
    """What the models of Kubeflow do not know, or want otherwise.

    They drop a field that they do not know: what comes out is compared.
    """
    try:
        found = KINDS[document["kind"]].from_dict(document).to_dict()
    except ValueError as error:
        return [str(error)]
    return list(lost(document, found, document["kind"]))


def lost(given, found, path: str):
    """The paths of what is given and not found."""
    if isinstance(given, dict) and isinstance(found, dict):
        for key, value in given.items():
            yield from lost(value, found.get(key), f"{path}.{key}")
    elif isinstance(given, list) and isinstance(found, list):
        for place, pair in enumerate(zip(given, found, strict=True)):
            yield from lost(*pair, f"{path}[{place}]")
    elif given != found:
        yield f"{path}: {given!r}"


@pytest.mark.parametrize("path", files("kubernetes-*.yaml"), ids=name)
def test_kubernetes_knows_every_field(path):
    assert not kubernetes_problems(parsed(path))


def test_a_field_that_kubernetes_does_not_know_is_seen():
    [job, *_] = files("kubernetes-*.yaml")
    document = parsed(job)
    document["spec"]["trainer"]["numNode"] = 2
    assert kubernetes_problems(document) == ["TrainJob.spec.trainer.numNode: 2"]
    document = parsed(job)
    document["spec"]["trainer"]["numNodes"] = "two"
    assert "numNodes" in kubernetes_problems(document)[0]


def skypilot_problems(task: dict) -> list[str]:
    schema = json.loads(SKYPILOT.read_text())
    checker = jsonschema.Draft202012Validator(schema)
    return [error.message for error in checker.iter_errors(task)]


@pytest.mark.parametrize("path", files("skypilot-*.yaml"), ids=name)
def test_skypilot_knows_every_field(path):
    assert not skypilot_problems(parsed(path))


def test_a_field_that_skypilot_does_not_know_is_seen():
    task = parsed(files("skypilot-*.yaml")[0])
    assert "nodes" in skypilot_problems(task | {"nodes": 2})[0]
    assert skypilot_problems(task | {"num_nodes": "two"})
