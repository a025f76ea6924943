"""docs/three_frameworks.ipynb as it is kept, and what runs it anew.

`nox -s notebook` runs it; nothing here does.
"""

import json
import re
import sys

import pytest

from tools.notebook import PATH, difference, drop_logs

NOTEBOOK = json.loads(PATH.read_text())
CELLS = NOTEBOOK["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]
PROSE = [cell for cell in CELLS if cell["cell_type"] == "markdown"]


def test_it_is_of_the_format_that_colab_and_kaggle_open():
    """`nox -s notebook` validates it by Jupyter's own schema."""
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    assert NOTEBOOK["metadata"]["kernelspec"]["name"] == "python3"
    assert len(CODE) + len(PROSE) == len(CELLS)
    assert len({cell["id"] for cell in CELLS}) == len(CELLS)


def test_every_cell_was_run_in_order_and_printed_something():
    numbers = [cell["execution_count"] for cell in CODE]
    assert numbers == list(range(1, len(CODE) + 1))
    for cell in CODE:
        outputs = cell["outputs"]
        assert [(o["output_type"], o["name"]) for o in outputs] == [
            ("stream", "stdout")  # no error, no warning
        ], cell["source"]
        assert "".join(outputs[0]["text"]).strip()


def test_it_is_small_and_names_no_place_of_the_machine_that_ran_it():
    text = PATH.read_text()
    assert len(text) < 100_000
    for cell in CODE:
        words = "".join(cell["outputs"][0]["text"])
        assert not re.search(r"(?<!\w)/\w+/|\.py\b|0x[0-9a-f]{4}", words)


def test_the_printed_versions_are_the_pinned_ones():
    """Else `nox -s notebook -- --write` was forgotten."""
    folder = PATH.parents[1] / "requirements"
    pins = "".join(path.read_text() for path in folder.glob("*-cpu.txt"))
    rows = [line.split() for line in CODE[0]["outputs"][0]["text"]]
    assert len(rows) == 5
    for name, version in rows:
        name = "tensorflow-cpu" if name == "tensorflow" else name
        assert re.search(rf"^{name}=={re.escape(version)}\b", pins, re.M), name


def test_its_links_lead_to_pages_and_headings():
    links = re.findall(r"\]\(([\w.]+)#?(.*?)\)", json.dumps(PROSE))
    assert links
    for name, heading in links:
        text = (PATH.parent / name).read_text().lower()
        assert f"# {heading.replace('-', ' ')}" in text.replace("-", " ")


@pytest.fixture
def first_cell(monkeypatch):
    """Runs the first cell; the line that it stops with."""
    source = "".join(CODE[0]["source"])
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run() -> list[str]:
        with pytest.raises(Exception, match=r"^[^\n]+$") as stop:
            exec(compile(source, "cell", "exec"), {})
        return stop.value._render_traceback_()

    return run


def test_a_missing_framework_is_told_in_one_line(first_cell, monkeypatch):
    there = {"torch", "jax", "optax"}
    monkeypatch.chdir(PATH.parent)
    monkeypatch.setattr("importlib.util.find_spec", there.__contains__)
    wanted = "error: TensorFlow and JAX missing here: "
    assert first_cell() == [wanted + "pip install tensorflow flax"]


def test_a_missing_repository_is_told_in_one_line(
    first_cell, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    wanted = "error: no copy of the repository here: set REPOSITORY, above"
    assert first_cell() == [wanted]


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ("   1.1e-16", "   9.0e-13", False),
        ("   1.1e-16", "   0.0e+00", False),
        ("   1.1e-16", "   9.0e+13", True),
        ("2.302585", "2.302586", True),
        ("is equal", "is other", True),
    ],
)
def test_only_rounding_may_differ(old, new, differs):
    def notebook(text: str) -> dict:
        cell = {"cell_type": "code", "execution_count": 1}
        return {"cells": [cell | {"outputs": [{"text": [text]}]}]}

    text = "2.302585   1.1e-16\nis equal"
    assert old in text
    found = difference(notebook(text), notebook(text.replace(old, new)))
    assert bool(found) == differs


def test_what_is_logged_is_taken_out_and_a_warning_stays():
    logged = "I0000 00:00:17956.9 31862 port.cc:153] oneDNN is on.\n"
    texts = [logged, logged + "UserWarning: old\n"]
    outputs = [{"name": "stderr", "text": [text]} for text in texts]
    notebook = {"cells": [{"outputs": outputs}, {}]}
    drop_logs(notebook)
    (kept,) = notebook["cells"][0]["outputs"]
    assert kept["text"] == ["UserWarning: old\n"]
