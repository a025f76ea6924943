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

ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("tensorflow_eager", "pytorch", "jax_flax")

# What each section must hold, in this order.
CONTRACT = {
    "model.py": {
        "Init": ["init_uniform"],
        "Blocks": ["BatchNorm", "ConvBN", "ResBlock"],
        "Loss": ["cross_entropy", "count_correct"],
        "Network": ["DavidNet", "build_model"],
        "Probes": ["activations"],
    },
    "data.py": {
        "Device": ["find_device", "describe_device", "configure", "to_device"],
        "Preprocess": ["normalize", "pad"],
        "Augment": ["crop", "flip_lr", "cutout", "augment"],
        "Batches": ["Batches", "take_batch", "train_batches", "eval_batches"],
    },
    "step.py": {
        "Optimizer": ["make_optimizer"],
        "State": ["TrainState", "create_state"],
        "Steps": ["train_step", "eval_step", "make_steps"],
    },
    "parallel.py": {
        "World": ["join_world", "leave_world", "is_lost", "gather_over_world"],
        "Place": ["spread_state", "share_batch"],
        "Sums": ["sum_over_world", "sum_gradients"],
    },
    "checkpoint.py": {
        "Convert": ["named_tensors", "export_arrays", "import_arrays"],
        "Files": ["save", "load"],
    },
    "train.py": {
        "Epoch": ["run_epoch", "evaluate"],
        "Train": ["warm_up", "train"],
        "Command line": ["main"],
    },
    "predict.py": {
        "Predict": ["predict", "use"],
        "Command line": ["main"],
    },
}

# Names that not all three have, and why.
ALONE = {
    ("tensorflow_eager", "step.py", "Nesterov"): (
        "no Keras optimizer has the learning rate outside the velocity; "
        "torch.optim.SGD and optax.trace do, so make_optimizer takes them"
    ),
    ("pytorch", "data.py", "mean_and_std"): (
        "made once; in the other two normalize makes it, a constant of a "
        "compiled program"
    ),
    ("jax_flax", "train.py", "scan_epoch"): (
        "a loop in Python would keep a GPU waiting; the other two always "
        "loop, in run_epoch"
    ),
    ("pytorch", "parallel.py", "current_world"): (
        "a process knows its share of a batch; in JAX each has the whole"
    ),
    ("pytorch", "parallel.py", "moments_over_world"): (
        "in JAX the mean over a batch is the one over the whole batch"
    ),
    ("tensorflow_eager", "parallel.py", "current_world"): "as in PyTorch",
    ("tensorflow_eager", "parallel.py", "moments_over_world"): "as in PyTorch",
    ("tensorflow_eager", "parallel.py", "addresses"): (
        "the others know their rank from their engine"
    ),
    ("tensorflow_eager", "parallel.py", "in_world"): (
        "replicas of one process share a batch, too"
    ),
    ("tensorflow_eager", "parallel.py", "choose_devices"): (
        "a strategy takes what TensorFlow sees"
    ),
    ("tensorflow_eager", "parallel.py", "in_replicas"): (
        "a strategy runs functions, where the others run the program"
    ),
    ("tensorflow_eager", "parallel.py", "replica_number"): (
        "the number belongs to a call, not to the process"
    ),
    ("tensorflow_eager", "parallel.py", "fold_in_replica"): (
        "a seed is a tensor here, and a number in PyTorch"
    ),
    ("tensorflow_eager", "parallel.py", "make_generator"): (
        "a strategy must be told about each variable"
    ),
    ("jax_flax", "parallel.py", "place_in_process"): (
        "one program for the devices of all processes"
    ),
    ("jax_flax", "parallel.py", "everywhere"): "a place is a value in JAX",
    ("jax_flax", "parallel.py", "put_everywhere"): "a place is a value in JAX",
}
# Aliases of types: they say what a framework calls the thing.
TYPES = {"Metrics", "Rows", "Sums"}


def sections(framework: str, file: str) -> dict[str, list[str]]:
    """The names defined in each section of a file, in order."""
    text = (ROOT / "frameworks" / framework / file).read_text()
    starts = {
        number: match[1]
        for number, line in enumerate(text.splitlines(), 1)
        if (match := re.match(r"# --- (.+?) -+$", line))
    }
    found = {name: [] for name in starts.values()}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            name = node.name
        elif isinstance(node, ast.Assign):
            name = node.targets[0].id
        else:
            continue
        before = [line for line in starts if line < node.lineno]
        if before:
            found[starts[max(before)]].append(name)
        else:
            assert name in TYPES, f"{framework}/{file}: {name}: no section"
    return found


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_folder_has_exactly_the_mirrored_files(framework):
    folder = ROOT / "frameworks" / framework
    found = {path.name for path in folder.glob("*.py")}
    assert found == {"__init__.py", *CONTRACT}


@pytest.mark.parametrize("file", CONTRACT)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_sections_and_names_stand_in_the_contracts_order(framework, file):
    found = sections(framework, file)
    assert list(found) == list(CONTRACT[file])
    for section, names in CONTRACT[file].items():
        shared = [
            name
            for name in found[section]
            if (framework, file, name) not in ALONE
        ]
        assert shared == names, f"{framework}/{file}, section {section}"


@pytest.mark.parametrize(("framework", "file", "name"), ALONE)
def test_every_exception_is_still_needed(framework, file, name):
    names = [n for part in sections(framework, file).values() for n in part]
    assert name in names


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
