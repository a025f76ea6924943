"""The files that GitHub, pre-commit and citations read, against the tree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINS = (ROOT / "requirements/tools.txt").read_text()


def test_there_are_workflows():
    names = [path.stem for path in WORKFLOWS]
    assert names == ["ci", "gpu-paper", "newest", "pages"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_their_major_version(path):
    used = re.findall(r"uses: (\S+)", path.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[\w-]+@v\d+", action)


@pytest.mark.parametrize(
    "path", [*WORKFLOWS, ROOT / ".ci/run"], ids=lambda path: path.stem
)
def test_the_sessions_that_are_called_are_in_the_noxfile(path):
    noxfile = (ROOT / "noxfile.py").read_text()
    known = set(re.findall(r"def (\w+)\(session\)", noxfile))
    known |= set(re.findall(r'name="([\w-]+)"', noxfile))
    known |= {"train-tf", "train-torch", "train-jax"}
    called = re.findall(r"nox -s ((?:[\w-]+ ?)+)", path.read_text())
    assert called
    for words in called:
        assert set(words.partition(" -- ")[0].split()) <= known


@pytest.mark.parametrize("tool", ["ruff", "codespell", "check-jsonschema"])
def test_pre_commit_runs_the_pinned_version(tool):
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    (rev,) = re.findall(rf"/{tool}(?:-pre-commit)?\n    rev: v?(\S+)", text)
    assert f"\n{tool}=={rev}\n" in PINS


def test_the_citation_has_the_version_of_the_project():
    cited = re.search(
        r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.M
    )
    project = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{cited[1]}"' in project
