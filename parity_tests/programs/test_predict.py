"""Use of what was trained: each framework reads what each wrote."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from parity_tests.programs.program import ROOT, TINY, rows, small_run


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """A file that is neither square nor small."""
    path = tmp_path_factory.mktemp("pictures") / "a.png"
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_all_nine_pairs_give_the_accuracy_on_record(
    program, programs, once, picture
):
    folders = [
        once.run(other, "whole", *TINY).folder for other in programs.values()
    ]
    commands = [[str(folder)] for folder in folders]
    commands += [[str(folder), str(picture)] for folder in folders]
    commands.append([str(folders[0]), "no such file.png"])
    words = [[*command, "--device", "cpu"] for command in commands]
    output = program.module(
        "mains", program.framework, json.dumps(words), "predict"
    )
    *ends, last = json.loads(output.splitlines()[-1])
    assert not any(end["code"] for end in ends), ends
    said = [end["stdout"].splitlines() for end in ends]
    for folder, lines in zip(folders, said, strict=False):
        recorded = rows(folder)[-1]["test_accuracy"]
        (line,) = [x for x in lines if "test accuracy" in x]
        assert line == (
            f"test accuracy {recorded:.2%} ({round(224 * recorded)} of 224 "
            "images), as recorded"
        )
    assert all(lines[-1].startswith(f"{picture}: ") for lines in said[3:])
    assert last["code"] == 65
    assert last["stderr"] == (
        "error: no such file.png: No such file or directory\n"
    )


def test_all_three_say_the_same_of_a_picture(programs, once, picture):
    folder = once.run(programs["pytorch"], "whole", *TINY).folder
    said = set()
    for framework, program in programs.items():
        words = ("-m", f"frameworks.{framework}.predict", folder, picture)
        result = program.run_words(*words, "--device", "cpu")
        assert result.returncode == 0, result.stderr
        said.add(result.stdout.splitlines()[-1])
    assert len(said) == 1, said


def test_the_lines_for_python_in_the_docs_work(programs, once):
    text = (ROOT / "docs" / "usage.md").read_text()
    code = text.partition("In Python, ")[2].split("```python\n")[1]
    code = code.partition("```")[0] + "print(probabilities.shape)\n"
    folder = once.run(programs["pytorch"], "whole", *TINY).folder
    code, found = re.subn(r'"runs/.*?"', repr(str(folder)), code)
    assert found == 1
    result = programs["pytorch"].run_words("-c", code)
    assert (result.stdout, result.returncode) == ("(2, 10)\n", 0)


# The same images twice: as a fresh process computes them, then with every
# switch of the process surely as the recipe wants it.
TWICE = """
import sys
import numpy as np
from common.cifar10.load import Split
from common.run.use import find_trained
from frameworks.{framework}.data import configure, find_device
from frameworks.{framework}.predict import use

images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
split, trained = Split(images, np.zeros(8, np.uint8)), find_trained({folder!r})
first = use(trained, split, "cpu")
configure(trained.recipe, find_device("cpu"))
print(np.ptp(first) > 0, np.array_equal(first, use(trained, split, "cpu")))
"""


@pytest.mark.parametrize("precision", ["bfloat16", "float64"])
def test_use_needs_no_switch_set_before(program, once, precision):
    run = small_run(program, once, precision)
    code = TWICE.format(framework=program.framework, folder=str(run.folder))
    result = program.run_words("-c", code)
    assert result.stdout == "True True\n", result.stderr
