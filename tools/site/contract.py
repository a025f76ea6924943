"""The contract of the mirror, and the three sources, cut and lined up by it.

Seven files in each framework folder, the same sections in the same order, and
in each section the same public names in the same order. The folders are read
as text: no framework is needed.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from common.environments import TITLES

ROOT = Path(__file__).parents[2]
FRAMEWORKS = TITLES  # in the order of the columns
HEAD = "Head"  # what stands above the first section

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
    ("pytorch", "parallel.py", "group_name"): (
        "the others' compiled programs are not given an object of the world"
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
    ("pytorch", "parallel.py", "in_world"): (
        "what torch.compile can trace of current_world"
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
    ("jax_flax", "parallel.py", "connect"): (
        "what a launcher has told the others' engines"
    ),
    ("jax_flax", "parallel.py", "choose_devices"): "as in TensorFlow",
    ("jax_flax", "parallel.py", "place_in_process"): (
        "one program for the devices of all processes"
    ),
    ("jax_flax", "parallel.py", "everywhere"): "a place is a value in JAX",
    ("jax_flax", "parallel.py", "put_everywhere"): "a place is a value in JAX",
    ("jax_flax", "predict.py", "compute_logits"): (
        "it keeps what it has compiled; the other two predict eagerly"
    ),
}
# Aliases of types: they say what a framework calls the thing.
TYPES = {"Metrics", "Rows", "Sums"}


class BuildError(Exception):
    """The site cannot be built; the message is one clear line."""


@dataclass(frozen=True)
class Piece:
    """The lines of one name in one file, and the number of the first."""

    framework: str
    file: str
    name: str
    first: int
    lines: tuple[str, ...]


@dataclass
class Row:
    """One name beside itself; a framework that lacks it has no piece."""

    name: str
    pieces: dict[str, Piece] = field(default_factory=dict)
    alone: list[str] = field(default_factory=list)  # why not all three have it


@dataclass
class Section:
    """One section of the mirror, its rows in order."""

    file: str
    name: str
    rows: list[Row]

    @property
    def slug(self) -> str:
        """For file names and addresses: "Command line", command-line."""
        return self.name.lower().replace(" ", "-")


def sections(root: Path = ROOT) -> list[Section]:
    """All sections of the mirror, aligned. Raises BuildError.

    The head of each file, its docstring and imports, comes first, under
    the name `HEAD`.
    """
    found, unused = [], {*ALONE}
    for file, wanted in CONTRACT.items():
        cuts = {f: cut(f, file, read(f, file, root)) for f in FRAMEWORKS}
        for framework, pieces in cuts.items():
            agree(f"frameworks/{framework}/{file}", pieces, [HEAD, *wanted])
        for name, names in {HEAD: [HEAD], **wanted}.items():
            rows = [Row(name) for name in names]
            lone: dict[str, Row] = {}
            for framework, pieces in cuts.items():
                where = f"frameworks/{framework}/{file}: section {name}"
                shared = []
                for piece in pieces[name]:
                    key = framework, file, piece.name
                    if why := ALONE.get(key):
                        unused.discard(key)
                        row = lone.setdefault(piece.name, Row(piece.name))
                        row.pieces[framework] = piece
                        if not why.startswith("as in "):
                            row.alone.append(why)
                    else:
                        shared.append(piece)
                agree(where, [piece.name for piece in shared], names)
                for row, piece in zip(rows, shared, strict=True):
                    row.pieces[framework] = piece
            for row in lone.values():
                rows.insert(1 + user(row, rows), row)
            found.append(Section(file, name, rows))
    if unused:
        names = ", ".join(sorted(map("/".join, unused)))
        raise BuildError(f"tools/site/contract.py: ALONE has {names}, in vain")
    return found


def agree(where: str, found: Iterable[str], wanted: list[str]) -> None:
    """Raise BuildError unless the names are those of the contract."""
    if list(found) != wanted:
        raise BuildError(
            f"{where} has {', '.join(map(str, found))}; the contract in "
            f"tools/site/contract.py asks for {', '.join(wanted)}"
        )


def user(lone: Row, rows: list[Row]) -> int:
    """The place of the first row that uses a name which not all have.

    If there is none in the section, that of the last row before it.
    """
    framework, helper = next(iter(lone.pieces.items()))
    before = 0
    for place, row in enumerate(rows):
        if framework in row.pieces and not row.alone:
            piece = row.pieces[framework]
            if re.search(rf"\b{lone.name}\b", "\n".join(piece.lines)):
                return place
            if piece.first < helper.first:
                before = place
    return before


def read(framework: str, file: str, root: Path = ROOT) -> str:
    """The text of a file of a framework. Raises BuildError."""
    path = root / "frameworks" / framework / file
    try:
        return path.read_text()
    except OSError as error:
        raise BuildError(f"frameworks/{framework}/{file}: missing") from error


def cut(framework: str, file: str, text: str) -> dict[str, list[Piece]]:
    """The pieces of a file by section, in order; every line is in one.

    A comment and a decorator belong to what follows, other loose lines to
    what stands before. Above the first section all is one piece, `HEAD`.
    """
    lines = text.splitlines()

    def piece(name: str, first: int, last: int) -> Piece:
        part = "\n".join(lines[first - 1 : last]).rstrip().splitlines()
        return Piece(framework, file, name, first, tuple(part))

    borders = [
        (number, match[1])
        for number, line in enumerate(lines, 1)
        if (match := re.match(r"# --- (.+?) -+$", line))
    ]
    starts = dict(_starts(text, lines))
    first = borders[0][0] if borders else len(lines) + 1
    if loose := {name for n, name in starts.items() if n < first} - TYPES:
        raise BuildError(
            f"frameworks/{framework}/{file}: {', '.join(sorted(loose))} stands "
            "in no section"
        )
    ends = [number for number, _ in borders[1:]] + [len(lines) + 1]
    pieces = {HEAD: [piece(HEAD, 1, first - 1)]}
    for (border, section), end in zip(borders, ends, strict=True):
        inside = [(n, starts[n]) for n in starts if border < n < end]
        stops = [number for number, _ in inside[1:]] + [end]
        pieces[section] = [
            piece(name, number, stop - 1)
            for (number, name), stop in zip(inside, stops, strict=True)
        ]
    return pieces


def _starts(text: str, lines: list[str]):
    """First line and name of each definition, with what leads it in."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            name = node.name
        elif isinstance(node, ast.Assign):
            first, name = node.lineno, node.targets[0].id
        else:
            continue
        above = reversed(lines[: first - 1])
        comments = takewhile(
            lambda line: line.startswith("#") and "# ---" not in line, above
        )
        yield first - len(list(comments)), name
