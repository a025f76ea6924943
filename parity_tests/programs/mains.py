"""Several command lines of one program, one after another in one process.

    python -m parity_tests.programs.mains pytorch '[["--help"], ...]' [predict]

Run in the framework's environment, which takes seconds to import: most of
what ends in an error ends before anything else is done. Prints JSON: of each
command line the exit code and what it wrote to both streams.
"""

import contextlib
import importlib
import io
import json
import sys


def main(framework: str, commands: str, name: str = "train") -> list[dict]:
    """How each of the commands, JSON, ends."""
    program = importlib.import_module(f"frameworks.{framework}.{name}")
    found = []
    for words in json.loads(commands):
        output, errors = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            try:
                code = program.main(words)
            except SystemExit as end:  # --help
                code = end.code
        end = {"code": code, "stdout": output.getvalue()}
        found.append(end | {"stderr": errors.getvalue()})
    return found


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
