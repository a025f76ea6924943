"""Environments: their names, their Python, their pinned files, their tools."""

import ast
import importlib.util
import re
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from common import environments
from common.environments import (
    FRAMEWORKS,
    PYTHONS,
    choose_python,
    find_python,
)
from common.errors import UsageError
from common.run.machine import LIBRARIES
from tools import pins

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"

# --- Which Python -------------------------------------------------------


@pytest.mark.parametrize("running", PYTHONS)
def test_a_python_that_fits_is_taken_and_nothing_is_looked_for(running):
    assert choose_python(running, None, None) is None


@pytest.mark.parametrize("running", ["3.10", "3.14", "3.15"])
def test_another_interpreter_of_the_machine_is_found(running):
    there = {"python3.11", "python3.12", f"python{running}"}
    assert choose_python(running, there.__contains__, None) == "3.12"


def test_where_none_is_installed_uv_fetches_one():
    found = choose_python("3.14", lambda name: False, lambda: True)
    assert found == PYTHONS[-1]


def test_where_nothing_fits_one_line_says_what_to_install():
    with pytest.raises(UsageError) as stop:
        choose_python("3.14", lambda name: False, lambda: False)
    line = str(stop.value)
    assert "\n" not in line
    for words in ("3.14", "3.11 to 3.13", "python3.13", "pip install uv"):
        assert words in line


def test_pyproject_and_readme_name_the_same_versions():
    newest = int(PYTHONS[-1].partition(".")[2])
    project = (ROOT / "pyproject.toml").read_text()
    assert f'requires-python = ">={PYTHONS[0]},<3.{newest + 1}"' in project
    readme = (ROOT / "README.md").read_text()
    assert f"Python {', '.join(PYTHONS[:-1])} or {PYTHONS[-1]}" in readme


# --- Where --------------------------------------------------------------


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_training_takes_the_mode_that_its_framework_is_said_to_take(
    framework,
):
    source = (ROOT / "frameworks" / framework / "train.py").read_text()
    (mode,) = re.findall(r'cpu_mode="(\w+)"', source)
    assert FRAMEWORKS[framework].mode == mode


def test_the_kind_of_machine_is_part_of_the_name(tmp_path, monkeypatch):
    """An environment made without a GPU is not taken where there is one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    python = tmp_path / "pytorch-cpu" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert find_python(tmp_path, "pytorch") == python
    smi = tmp_path / "nvidia-smi"
    smi.touch(mode=0o755)
    with pytest.raises(UsageError, match="`nox -s pytorch-gpu`"):
        find_python(tmp_path, "pytorch")


def test_keras_has_environments_of_its_own_but_in_tensorflow(monkeypatch):
    monkeypatch.setattr(environments, "machine_kind", lambda: "cpu")
    names = [
        environments.environment_name(framework, keras=True)
        for framework in environments.FRAMEWORKS
    ]
    assert names == ["tensorflow-cpu", "keras-pytorch-cpu", "keras-jax-cpu"]


# --- Pinned files -------------------------------------------------------


def versions(path: Path) -> dict[str, str]:
    """By package, its name as PyPI normalizes it."""
    lines = path.read_text().splitlines()
    lines = [re.sub(r" ;.*", "", s) for s in lines if not s.startswith("#")]
    pairs = [re.split("={2,3}", line) for line in lines]
    assert all(len(pair) == 2 for pair in pairs), f"{path.name}: not all pinned"
    return {re.sub("[-_.]+", "-", n).lower(): v for n, v in pairs}


def wanted(path: Path) -> set[str]:
    """The lines of a short list, and of the list that it includes."""
    found = set()
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            found |= wanted(path.parent / line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            found.add(line.partition(" ;")[0])
    return found


LISTS = sorted(p for p in REQUIREMENTS.glob("*.in") if p.stem != "common")


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_what_is_wanted_is_pinned(path):
    """Else `nox -s pins -- --compile` was forgotten."""
    pinned = versions(path.with_suffix(".txt"))
    for line in wanted(path):
        name, _, version = re.sub(r"\[.*\]", "", line).partition("==")
        name = re.sub("[-_.]+", "-", name).lower()
        assert name in pinned, line
        assert version.lstrip("=") in ("", pinned[name]), line


def test_every_pinned_file_has_a_list_and_every_framework_two():
    names = {p.stem for p in LISTS}
    assert {p.stem for p in REQUIREMENTS.glob("*.txt")} == names
    for framework in environments.FRAMEWORKS.values():
        assert {
            f"{framework.requirements}-{kind}" for kind in environments.KINDS
        } <= names


@pytest.mark.parametrize("framework", environments.FRAMEWORKS)
def test_a_record_has_the_versions_of_what_is_asked_for(framework):
    stem = environments.FRAMEWORKS[framework].requirements
    files = [REQUIREMENTS / f"{stem}-{kind}.in" for kind in environments.KINDS]
    asked = {
        re.split(r"\[|==", line)[0]
        for line in set().union(*map(wanted, files))
        if "==" in line
    }
    below = {"numpy", "keras"}  # what the frameworks bring along
    assert set(LIBRARIES[framework]) - below == asked


def test_a_package_has_the_same_version_in_every_file():
    found = {}
    for path in LISTS:
        for name, version in versions(path.with_suffix(".txt")).items():
            found.setdefault(name, set()).add(version)
    several = {name for name, v in found.items() if len(v) > 1}
    # NVIDIA's libraries are those that a framework was built with.
    assert {n for n in several if not n.startswith("nvidia-")} == {"torch"}
    assert found["torch"] == {"2.13.0", "2.13.0+cpu"}


@pytest.mark.parametrize("name", ["tensorflow", "pytorch", "jax"])
def test_nvidias_libraries_are_pinned_and_on_a_cpu_there_are_none(name):
    def count(kind: str) -> int:
        pinned = versions(REQUIREMENTS / f"{name}-{kind}.txt")
        return sum(package.startswith("nvidia-") for package in pinned)

    assert count("cpu") == 0
    assert count("gpu") >= 10


def test_no_file_names_a_server():
    for path in REQUIREMENTS.iterdir():
        assert "://" not in path.read_text(), path.name


# --- Machines that are not here -----------------------------------------


ROW = ("pytorch-cpu", "3.13", "aarch64")
INDEX = environments.PYTORCH_CPU_INDEX
REACHED = CompletedProcess("uv", 0, "numpy==2.4.6\n", "")
NO_WHEEL = CompletedProcess("uv", 1, "", "No solution\n x\n")
AWAY = CompletedProcess("uv", 2, "", f"Failed to fetch: {INDEX}/torch/")
UNPINNED = CompletedProcess("uv", 0, "six==1.0\n", "")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([REACHED], ""),
        ([UNPINNED], "not pinned: six"),
        ([NO_WHEEL], "No solution x"),
        ([AWAY, REACHED], "index cannot be reached; all but torch fits"),
        ([AWAY, NO_WHEEL], "No solution x"),
    ],
)
def test_a_file_that_does_not_install_elsewhere_as_pinned_is_told(
    monkeypatch, answers, words
):
    given = []

    def run_uv(name, *options, **more):
        assert {"--only-binary=:all:", "--python-version=3.13"} <= {*options}
        assert "--python-platform=aarch64-manylinux_2_28" in options
        given.append(more["given"])
        return answers[len(given) - 1]

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(pins, "run_uv", run_uv)
    problem = pins.check(ROW)
    assert words in problem and bool(words) == bool(problem)
    assert len(given) == len(answers)
    assert "torch==" in given[0]
    assert all("torch==" not in text for text in given[1:])


# --- pip and uv ---------------------------------------------------------


@pytest.fixture(scope="module")
def noxfile():
    """noxfile.py as a module; nox takes its sessions once."""
    spec = importlib.util.spec_from_file_location("_nox", ROOT / "noxfile.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Session:
    """A session whose trial installation says this."""

    venv_backend = "virtualenv"

    def __init__(self, says: str):
        self.says = says
        self.installed = []

    def install(self, *words, stdout=None, **options):
        self.installed.append(words)
        if stdout:
            stdout.write(self.says)


@pytest.mark.parametrize(
    ("says", "asked"),
    [
        ("ERROR: No matching distribution found for torch==2.13.0+cpu", True),
        ("error: No solution found when resolving dependencies", True),
        ("Would install torch-2.13.0+cpu", False),
        ("Requirement already satisfied: torch==2.13.0+cpu", False),
        # The installation that follows fails at the same, and tells it.
        ("ERROR: Could not install packages: No space left", False),
    ],
)
def test_pytorchs_index_is_asked_only_if_the_build_is_not_found(
    noxfile, monkeypatch, says, asked
):
    monkeypatch.chdir(ROOT)
    session = Session(says)
    noxfile.make_environment(session, "pytorch-cpu")
    trial, words = session.installed
    assert trial == ("--dry-run", "--no-deps", "torch==2.13.0+cpu")
    assert ("--extra-index-url" in words) == asked
    assert words[-2:] == ("-r", "requirements/pytorch-cpu.txt")


@pytest.mark.parametrize(
    ("words", "framework"),
    [
        ("runs/jax_flax/small x.png", "jax_flax"),
        ("elsewhere/small", "pytorch"),
        ("runs/tensorflow_eager/small", "pytorch"),  # it is not installed
        ("runs/jax_flax/small --with torch", "pytorch"),
        ("--with jax elsewhere/small x.png", "jax_flax"),
        ("elsewhere/small --with=jax", "jax_flax"),
        ("--offline runs/jax_flax/small", "jax_flax"),
        ("--device cpu runs/jax_flax/small", "jax_flax"),
        ("pytorch/runs/jax_flax/small", "jax_flax"),
        ("", "pytorch"),
        ("a --with tf", None),
        ("a --with keras", None),
        ("a --with", None),
    ],
)
def test_who_reads_a_trained_network(noxfile, tmp_path, words, framework):
    for name in ("pytorch", "jax_flax"):
        (tmp_path / noxfile.environment_name(name)).mkdir()
    given = words.split()
    if framework is None:
        with pytest.raises(SystemExit, match="--with takes tf, torch, jax"):
            noxfile.reader(given, tmp_path)
        return
    assert noxfile.reader(given, tmp_path) == framework
    assert "--with" not in given
    assert given.count("x.png") == words.count("x.png")
    with pytest.raises(SystemExit, match="nox -s"):
        noxfile.reader([], tmp_path / "nothing")


def test_uv_may_fetch_a_python_unless_another_back_end_is_asked_for(
    noxfile, monkeypatch
):
    monkeypatch.setattr(noxfile, "find_spec", lambda name: name == "uv")
    monkeypatch.delenv("NOX_DEFAULT_VENV_BACKEND", raising=False)
    assert noxfile.has_uv()
    monkeypatch.setenv("NOX_DEFAULT_VENV_BACKEND", "virtualenv")
    assert not noxfile.has_uv()
    monkeypatch.delenv("NOX_DEFAULT_VENV_BACKEND")
    monkeypatch.setattr(noxfile, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    assert not noxfile.has_uv()


def test_uv_gets_what_pip_is_configured_with(noxfile, monkeypatch):
    class Done:
        stdout = (
            ":env:.find-links='/env'\n"
            "global.cert='/ca.pem'\n"
            "global.extra-index-url='a\\nb'\n"
            "global.find-links='/global'\n"
            "global.timeout='5'\n"
            "install.find-links='/one /two'\n"
        )

    def run(words, **options):
        assert words[1:] == ["-m", "pip", "config", "list"]
        return Done

    monkeypatch.setattr(noxfile.subprocess, "run", run)
    for name in (*noxfile.UV_VARIABLES.values(), "UV_INDEX_STRATEGY"):
        monkeypatch.delenv(name, raising=False)
    assert noxfile.uv_variables() == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/ca.pem",
        "UV_EXTRA_INDEX_URL": "a b",
        "UV_FIND_LINKS": "/env",
    }
    monkeypatch.setenv("UV_FIND_LINKS", "/mine")
    assert "UV_FIND_LINKS" not in noxfile.uv_variables()


def test_every_installation_by_uv_gets_them():
    calls = [
        node
        for node in ast.walk(ast.parse((ROOT / "noxfile.py").read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "session.install"
    ]
    assert len(calls) > 2
    for call in calls:
        assert "env" in {word.arg for word in call.keywords}, ast.unparse(call)
