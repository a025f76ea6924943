"""The mirror contract, read from the source: no framework is needed.

Seven files in each framework folder, the same sections in the same order, and
in each section the same public names in the same order.
"""

import ast
import json
import re
from pathlib import Path

import pytest

from common.init import parameter_table
from common.recipe import Recipe
from parity_tests.unit.test_house import names_imported
from tools.results.publish import LADDER
from tools.results.tables import TABLES, filled
from tools.site import contract

ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("tensorflow_eager", "pytorch", "jax_flax")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_folder_has_exactly_the_mirrored_files(framework):
    folder = ROOT / "frameworks" / framework
    found = {path.name for path in folder.glob("*.py")}
    assert found == {"__init__.py", *contract.CONTRACT}


def test_sections_and_names_stand_in_the_contracts_order():
    assert contract.sections()  # or BuildError


def test_in_the_training_at_most_three_names_stand_alone():
    """Beside it: joining several devices, and JAX's compiled prediction."""
    beside = ("parallel.py", "predict.py")
    assert len([key for key in contract.ALONE if key[1] not in beside]) <= 3


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_network_has_the_same_methods(framework):
    text = (ROOT / "frameworks" / framework / "model.py").read_text()
    net = next(
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and node.name == "DavidNet"
    )
    methods = [n.name for n in net.body if isinstance(n, ast.FunctionDef)]
    call = {"tensorflow_eager": "call", "pytorch": "forward"}
    assert methods == [
        "__init__",
        "features",
        "head",
        "logits",
        call.get(framework, "__call__"),
    ]


def python_files(*folders: str) -> list[Path]:
    return [p for folder in folders for p in (ROOT / folder).rglob("*.py")]


def imports(path: Path) -> set[str]:
    """The top-level packages that a file imports, anywhere in it."""
    return {name.partition(".")[0] for name in names_imported(path)}


OF_FRAMEWORKS = {
    "tensorflow_eager": {"tensorflow", "keras"},
    "pytorch": {"torch"},
    "jax_flax": {"jax", "flax", "optax"},
}


def test_common_imports_no_framework():
    known = set().union(*OF_FRAMEWORKS.values()) | {"frameworks"}
    for path in python_files("common"):
        assert not imports(path) & known, path


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_folder_imports_no_other_framework(framework):
    own = OF_FRAMEWORKS[framework]
    others = set().union(*OF_FRAMEWORKS.values()) - own
    for path in python_files(f"frameworks/{framework}"):
        assert not imports(path) & others, path
        text = path.read_text()
        for other in set(FRAMEWORKS) - {framework}:
            assert f"from frameworks.{other}" not in text, path


def marks(framework: str) -> set[str]:
    """The slugs of the `# differs:` marks of a folder."""
    text = "".join(
        p.read_text() for p in python_files(f"frameworks/{framework}")
    )
    return set(re.findall(r"# differs: ([a-z0-9-]+)", text))


def test_marks_and_differences_table_have_the_same_slugs():
    table = (ROOT / "docs" / "differences.md").read_text()
    rows = re.findall(r"^\| `?([a-z0-9-]+)`? \|", table, re.MULTILINE)
    used = set().union(*(marks(framework) for framework in FRAMEWORKS))
    assert used, "no mark was found at all"
    assert len(rows) == len(set(rows)), "a slug has two rows"
    assert used <= set(rows), f"marks without a row: {used - set(rows)}"


def quotes() -> list[tuple[str, str]]:
    """File and text of each block of code that the docs quote."""
    text = "".join(p.read_text() for p in sorted((ROOT / "docs").glob("*.md")))
    notebook = json.loads((ROOT / "docs/three_frameworks.ipynb").read_text())
    text += "".join(line for c in notebook["cells"] for line in c["source"])
    pattern = r"<!-- from (\S+) -->\n+```\w*\n(.*?)```"
    return re.findall(pattern, text, re.DOTALL)


def test_the_docs_quote_code():
    assert len(quotes()) >= 8  # one for each question of docs/reading.md


@pytest.mark.parametrize(("file", "quote"), quotes())
def test_quoted_code_stands_in_the_file(file, quote):
    assert quote in (ROOT / file).read_text(), f"{file} has changed"


@pytest.mark.parametrize("file", TABLES)
def test_the_tables_are_those_of_the_published_records(file):
    text = (ROOT / file).read_text()
    assert filled(text, file) == text, "run python -m tools.results --write"


def test_the_published_ladder_passed():
    assert json.loads(LADDER.read_text())["verdict"] == "pass"


TIMES = "\N{MULTIPLICATION SIGN}"


def test_the_picture_has_the_numbers_of_the_table():
    """Kernels and counts of each layer in order, and the sums below."""
    picture = (ROOT / "docs" / "network.svg").read_text()

    def column(x: int) -> list[str]:
        return re.findall(rf'<text x="{x}" .*?>([\d, {TIMES}]+)<', picture)

    layers: dict[str, dict] = {}
    for row in parameter_table(Recipe()):
        name = row.name.removesuffix(".kernel").removesuffix(".conv")
        name = name.partition(".bn.")[0]
        layer = layers.setdefault(name, {True: 0, False: 0})
        layer[row.trained] += row.size
        if row.role == "kernel":
            layer["kernel"] = f" {TIMES} ".join(map(str, row.shape))
    assert column(630) == [layer["kernel"] for layer in layers.values()]
    for x, trained in ((756, True), (870, False)):
        counts = [layer[trained] for layer in layers.values() if layer[trained]]
        wanted = [*counts, sum(counts)]
        assert column(x) == [f"{count:,}" for count in wanted]
