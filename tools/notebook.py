"""Run docs/three_frameworks.ipynb anew, and compare what it prints.

    python -m tools.notebook            with the output that it was kept with
    python -m tools.notebook --write    and keep the new output

It needs the environment of `nox -s notebook`, which has all three frameworks.
Exit codes: 0 the output is the same, or was written; 1 it is another, or a
cell failed.
"""

import argparse
import difflib
import json
import re
import sys
from pathlib import Path

PATH = Path(__file__).parents[1] / "docs" / "three_frameworks.ipynb"
# A rounding error, 1.1e-16 or 0.0e+00, which each processor has its own of. The
# cells assert that it is one, so that a mistake cannot pass for it.
ROUNDING = re.compile(r" \d\.\de(?:-\d\d|\+00)")
# What TensorFlow logs when it is imported, with the time and its process.
LOGGED = re.compile(
    r"^(?:I\d{4} |WARNING: All log messages before absl).*\n", re.M
)


def printed(notebook: dict) -> list[str]:
    """What the cells print, by line, each cell below its number from 1."""
    lines = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            lines.append(f"cell {cell['execution_count']}")
            for output in cell["outputs"]:
                lines += "".join(output.get("text", "")).splitlines()
    return lines


def drop_logs(notebook: dict) -> None:
    """Take out what is logged, and the outputs that were nothing else."""
    for cell in notebook["cells"]:
        for output in list(cell.get("outputs", ())):
            if output.get("name") == "stderr":
                text = LOGGED.sub("", "".join(output["text"]))
                output["text"] = text.splitlines(keepends=True)
                if not text:
                    cell["outputs"].remove(output)


def difference(kept: dict, new: dict) -> list[str]:
    """The lines that differ, as `diff` shows them; [] if only rounding does."""
    plain = [
        [ROUNDING.sub(" ROUNDING", line) for line in printed(notebook)]
        for notebook in (kept, new)
    ]
    found = difflib.unified_diff(*plain, "kept", "new", lineterm="", n=1)
    return list(found)


def execute(path: Path) -> tuple[dict, dict]:
    """The notebook as it is kept, and with the output of a run.

    Ends the program in one line if a cell fails.
    """
    # Only the environment of `nox -s notebook` has these.
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    kept = json.loads(path.read_text())
    client = NotebookClient(
        notebook,
        timeout=600,
        record_timing=False,
        coalesce_streams=True,
        startup_timeout=300,
        extra_arguments=["--log-level=40"],  # errors only
        resources={"metadata": {"path": path.parent}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        sys.exit(f"error: {path.name}: {error.ename}: {error.evalue}")
    except DeadKernelError as error:
        sys.exit(f"error: {path.name}: its process ended: {error}")
    new = json.loads(nbformat.writes(notebook))
    drop_logs(new)
    # Without the version of the Python that ran it.
    return kept, new | {"metadata": kept["metadata"]}


def main(argv: list[str] | None = None) -> int:
    """Run, then compare or write, as the flags say; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true")
    flags = parser.parse_args(argv)
    kept, new = execute(PATH)
    lines = difference(kept, new)
    if flags.write:
        text = json.dumps(new, indent=1, ensure_ascii=False, sort_keys=True)
        PATH.write_text(text + "\n")
    elif lines:
        print(*lines, sep="\n")
        print(f"{PATH.name} prints something else; -- --write keeps it")
        return 1
    print(f"{PATH.name}: {'written' if flags.write else 'the same output'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
