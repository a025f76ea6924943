"""The rooms of the house, read from the imports: no arrow runs back up."""

import ast
from pathlib import Path

import pytest

from parity_tests.harness.cases import ROOT, shared_files
from parity_tests.mutants.source import APART, subjects

PARITY = ROOT / "parity_tests"
# Each room imports from those before it in this list, never from those after.
ROOMS = (
    "common",
    "frameworks",
    "parity_tests/oracle",
    "parity_tests/harness",
    "parity_tests/rungs",
    "parity_tests/judge",
    "parity_tests/gpu",
    "parity_tests",  # the commands: trace.py, compare.py, calm.py
    "parity_tests/programs",
    "parity_tests/mutants",
    "tools",
    "parity_tests/unit",
)


def room(path: str) -> str:
    """The room that a file lies in, the innermost one. Path from the root."""
    return max((r for r in ROOMS if path.startswith(r + "/")), key=len)


def names_imported(path: Path) -> set[str]:
    """All modules that a file names in imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imported(path: Path) -> set[str]:
    """The files of this project that a file imports, from the root."""
    names = names_imported(path)
    names |= {name.rpartition(".")[0] for name in names}
    places = [name.replace(".", "/") for name in names]
    candidates = [
        f"{p}{end}" for p in places for end in (".py", "/__init__.py")
    ]
    return {file for file in candidates if (ROOT / file).exists()}


def files() -> list[str]:
    tops = sorted({r.partition("/")[0] for r in ROOMS})
    paths = [p for top in tops for p in sorted((ROOT / top).rglob("*.py"))]
    return [p.relative_to(ROOT).as_posix() for p in paths]


@pytest.mark.parametrize("own", ROOMS)
def test_no_import_runs_back_up(own):
    mine = [file for file in files() if room(file) == own]
    assert mine, f"{own} has no file"
    later = ROOMS[ROOMS.index(own) + 1 :]
    for file in mine:
        for other in imported(ROOT / file):
            if other.endswith("__init__.py") and other.count("/") == 1:
                continue  # a package's own docstring
            assert room(other) not in later, f"{file} imports {other}"


def test_the_source_hash_covers_common_and_the_rungs():
    names = {p.relative_to(ROOT).as_posix() for p in shared_files()}
    for name in files():
        wanted = room(name) in ("common", "parity_tests/rungs")
        if wanted or name == "parity_tests/harness/cases.py":
            assert name in names
    assert len(names) == len(shared_files())


def test_every_file_of_the_three_and_of_common_is_mutated():
    product = [
        name
        for name in files()
        if room(name) in ("common", "frameworks")
        and not name.endswith("__init__.py")
    ]
    assert sorted(subjects()) == sorted(product)


@pytest.mark.parametrize("folder", APART)
def test_what_the_tree_hash_leaves_out_exists(folder):
    assert (ROOT / folder).is_dir()


def test_parity_tests_has_at_most_eight_rooms():
    rooms = {path.parent.name for path in PARITY.glob("*/*.py")}
    assert len(rooms) <= 8


@pytest.mark.parametrize(
    "path", sorted((ROOT / "frameworks").glob("*/*.py")), ids=lambda p: p.name
)
def test_a_function_of_an_implementation_fits_on_a_screen(path):
    """Of at most 40 lines, beside its head and its docstring."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                first = node.body[1]
            assert node.end_lineno - first.lineno < 40, node.name
