"""JSON that others wrote, checked into a typed thing or refused.

Every format of this project is declared once, as a msgspec Struct, and read
by these functions, so that no other code meets a field of a wrong kind.
"""

import os
import stat
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from common.errors import UserError
from common.files import one_line

T = TypeVar("T")

# Text that may stand in a terminal and in one cell of a table.
Text = Annotated[str, Meta(max_length=1_000, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
PathText = Annotated[str, Meta(max_length=10_000)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Positive = Annotated[int, Meta(ge=1, le=2**53)]
Seconds = Annotated[float, Meta(ge=0, le=1e12)]
Share = Annotated[float, Meta(ge=0, le=1)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
# "+" marks source that was changed after the commit.
Commit = Annotated[str, Meta(pattern=r"^[0-9a-f]{40,64}\+?\Z")]


class Malformed(ValueError):
    """Content that is not what its format says; the message is one line."""


def decode(content: bytes | str, kind: type[T]) -> T:
    """JSON text as `kind`, every field checked. Raises Malformed.

    Fields that `kind` does not know are left out: a newer program may have
    written them.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except RecursionError as error:
        raise Malformed("it is nested too deeply") from error
    except UnicodeError as error:
        raise Malformed("it is not UTF-8 text") from error
    # UserError: what a dataclass says of its own fields.
    except (msgspec.MsgspecError, UserError) as error:
        raise Malformed(one_line(error)) from error


def convert(fields: dict[str, str], kind: type[T]) -> T:
    """Fields that are all text as `kind`: "12" may be a number. As decode."""
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.MsgspecError as error:
        raise Malformed(one_line(error)) from error


def read_limited(path: str | os.PathLike, limit: int) -> bytes:
    """The content of an ordinary file of at most `limit` bytes.

    Raises Malformed if it is longer or not an ordinary file (reading a pipe
    would wait for ever), OSError if it cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise Malformed("it is not an ordinary file")
    with Path(path).open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise Malformed(f"it is larger than {limit:,} bytes")
    return content
