"""The one option of these tests."""

from pathlib import Path

from common.files import user_path

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser):
    parser.addoption(
        "--environments",
        default=ROOT / ".nox",
        type=user_path,
        help="folder of the train sessions' environments",
    )
