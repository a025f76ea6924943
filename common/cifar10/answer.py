"""The answer of an https server in pieces, each of them within its time.

The network runs in a thread of its own, and the clock outside of it: the
timeouts of the network libraries start anew with every byte, so that a
server could drip its headers for weeks.
"""

import os
import queue
import re
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from common.errors import UserError
from common.files import one_line

SLOW_SECONDS = 20  # without a byte
CONNECT_SECONDS = 10  # for one connection
ANSWER_SECONDS = 30  # until the body begins, redirects included
MAX_REDIRECTS = 5
CHUNK = 1 << 18  # bytes


class FetchError(UserError):
    """This source does not deliver; another one may."""


class TooSlow(FetchError):
    """The source delivers, but slower than the stall rule allows."""


def answer(url: str, start: int) -> Generator:
    """Ask for the bytes of `url` from `start` on.

    First yields the head of the answer, a requests.Response, and then its
    body, piece by piece. To be closed.
    Raises FetchError if the source or the way to it fails, TooSlow if no
    byte arrives in time.
    """
    arrived: queue.Queue = queue.Queue(maxsize=4)
    left = threading.Event()

    def run() -> None:
        with closing(_pieces(url, start)) as pieces:
            try:
                for piece in pieces:
                    arrived.put(piece)
                    if left.is_set():
                        return
                arrived.put(None)
            except Exception as error:
                arrived.put(error)

    def wait(seconds: float, late: FetchError) -> object:
        try:
            piece = arrived.get(timeout=seconds)
        except queue.Empty:
            raise late from None
        if isinstance(piece, Exception):
            raise piece
        return piece

    # A daemon: what still waits for a byte must not hold up the exit.
    threading.Thread(target=run, daemon=True).start()
    try:
        late = FetchError(f"no answer within {ANSWER_SECONDS} s")
        yield wait(ANSWER_SECONDS, late)
        late = TooSlow(f"too slow: no byte for {SLOW_SECONDS} s")
        while (piece := wait(SLOW_SECONDS, late)) is not None:
            yield piece
    finally:
        left.set()
        with suppress(queue.Empty):  # room for the piece in its hands
            while True:
                arrived.get_nowait()


def without_secrets(text: str) -> str:
    """`text`, its addresses without user, password and query."""
    text = re.sub(r"[?#]\S*", "", text)
    text = re.sub(r"//[^/\s]*@", "//", text)
    return re.sub(r"[^/\s:@]+:[^/\s]*@", "", text)  # without a scheme


def _pieces(
    url: str, start: int
) -> Generator[requests.Response | bytes, None, None]:
    """What `answer` yields, as it comes."""
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with _reasons(), requests.Session() as session:
        # As Python and curl read it; requests has names of its own.
        session.verify = os.environ.get("SSL_CERT_FILE") or True
        with _follow(session, url, headers) as response:
            yield response
            # read1: to wait for more than is there would hide a trickle.
            while data := response.raw.read1(CHUNK, decode_content=False):
                yield data


def _follow(
    session: requests.Session, url: str, headers: dict[str, str]
) -> requests.Response:
    """The answer at the end of the redirects, none of them to http."""
    for _ in range(1 + MAX_REDIRECTS):
        if urlsplit(url).scheme != "https":
            raise FetchError(
                f"leads to {without_secrets(url)}, but only https is accepted"
            )
        response = session.get(
            url,
            headers=headers,
            stream=True,
            timeout=(CONNECT_SECONDS, SLOW_SECONDS),
            # By hand, because requests would follow one to http.
            allow_redirects=False,
        )
        if not response.is_redirect:
            return response
        response.close()
        url = urljoin(url, response.headers["Location"])
    raise FetchError(f"more than {MAX_REDIRECTS} redirects")


@contextmanager
def _reasons() -> Iterator[None]:
    """Turn what the network libraries raise into one short line."""
    try:
        yield
    except FetchError:
        raise
    except (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as e:
        raise TooSlow(f"too slow: no byte for {SLOW_SECONDS} s") from e
    # Nearly anything: OSError if a file of certificates is missing,
    # ValueError for a proxy or an address that makes no sense.
    except Exception as error:
        cause = _innermost(error)
        reason = f"the connection failed ({one_line(cause)})"
        if isinstance(error, requests.exceptions.ProxyError):
            reason += "; HTTPS_PROXY or ALL_PROXY names this proxy"
        elif isinstance(cause, urllib3.exceptions.NameResolutionError):
            reason = "no network, or no such host"
        elif "CERTIFICATE_VERIFY_FAILED" in str(cause):
            reason += (
                "; where the network has certificates of its own, "
                "REQUESTS_CA_BUNDLE names the file that holds them"
            )
        raise FetchError(without_secrets(reason)) from error


def _innermost(error: Exception) -> Exception:
    """The cause, which is wrapped up to three times, in long words."""
    while True:
        inner = getattr(error, "reason", None)
        inner = inner or (error.args[0] if error.args else None)
        if not isinstance(inner, Exception):
            return error
        error = inner
