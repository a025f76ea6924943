"""The one option of these tests."""

from pathlib import Path

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser):
    parser.addoption(
        "--environments",
        default=ROOT / ".nox",
        type=Path,
        help="folder of the train sessions' environments",
    )
