"""An https server on this machine that misbehaves as it is told."""

import contextlib
import dataclasses
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

CONTENT = bytes(range(256)) * 4_000  # 1 MB


@dataclasses.dataclass
class Server:
    """An https server on this machine, and how it is to behave."""

    url: str = ""
    content: bytes = CONTENT
    requests: list[tuple[str, str | None]] = dataclasses.field(
        default_factory=list  # path and Range of each
    )
    redirects: dict[str, str] = dataclasses.field(default_factory=dict)
    status: int | None = None  # answers only this
    ranges: bool = True  # understands Range
    content_range: str | None = None  # states this one
    declares: bool = True  # states the length
    cut_at: int | None = None  # ends the connection after so many bytes
    pause: float = 0  # seconds between pieces
    piece: int = 1 << 20  # bytes
    delay: float = 0  # seconds before each answer
    hangs_up: bool = False  # ends each connection without an answer
    drips: bytes | None = None  # answers this, then a byte now and then


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def drip(self):
            with contextlib.suppress(OSError):
                self.wfile.write(server.drips)
                while server.drips is not None:
                    self.wfile.write(b"a")
                    time.sleep(0.05)

        def do_GET(self):
            asked = self.headers.get("Range")
            server.requests.append((self.path, asked))
            time.sleep(server.delay)
            if server.hangs_up:
                return
            if server.drips is not None:
                self.drip()
                return
            if self.path in server.redirects:
                self.send_response(302)
                self.send_header("Location", server.redirects[self.path])
                self.end_headers()
                return
            if server.status:
                self.send_error(server.status)
                return
            start, size = 0, len(server.content)
            if asked and server.ranges:
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
                self.send_response(206)
                stated = f"bytes {start}-{size - 1}/{size}"
                stated = server.content_range or stated
                self.send_header("Content-Range", stated)
            else:
                self.send_response(200)
            if server.declares:
                self.send_header("Content-Length", str(size - start))
            self.end_headers()
            end = size if server.cut_at is None else server.cut_at
            body = server.content[start:end]
            with contextlib.suppress(OSError):  # the client may have left
                for i in range(0, len(body), server.piece):
                    self.wfile.write(body[i : i + server.piece])
                    time.sleep(server.pause)

    return Handler


@contextlib.contextmanager
def https_server(folder: Path) -> Iterator[tuple[Server, Path]]:
    """The running server, and the certificate to trust."""
    authority = trustme.CA()
    bundle = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    http.daemon_threads = True
    http.socket = context.wrap_socket(http.socket, server_side=True)
    server.url = f"https://127.0.0.1:{http.server_port}/c.tar.gz"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server, bundle
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
