"""The one option of these tests, and the signals that they send."""

import signal
from pathlib import Path

from common.files import user_path

ROOT = Path(__file__).parents[1]

# A shell starts background jobs with SIGINT ignored, and nohup ignores SIGHUP.
# Programs would inherit that from the tests, which send both signals.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser):
    parser.addoption(
        "--environments",
        default=ROOT / ".nox",
        type=user_path,
        help="folder of the train sessions' environments",
    )
