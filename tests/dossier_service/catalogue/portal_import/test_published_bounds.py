"""A file of procedures is unpacked within bounds, however much it holds."""

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from dossier_service.catalogue.portal_import.reader import (
    MAX_LINE_BYTES,
    MAX_LINES,
    MAX_UNPACKED_BYTES,
    PublishedFileTooLargeError,
    Unreadable,
    read_published_file,
)

MIB = 1024 * 1024
Pack = Callable[[bytes], bytes]
PACKED = pytest.mark.parametrize(
    ("name", "pack"), [("a.jsonl", bytes), ("a.jsonl.gz", gzip.compress)], ids=["plain", "gzip"]
)
TOO_MUCH = {
    "one line without end": bytes(MAX_UNPACKED_BYTES),
    "more lines than any catalogue": b"\n" * (MAX_LINES + 1),
    "long lines": (bytes(MAX_LINE_BYTES - 1) + b"\n") * (MAX_UNPACKED_BYTES // MAX_LINE_BYTES + 1),
}


@PACKED
@pytest.mark.parametrize("content", TOO_MUCH.values(), ids=TOO_MUCH)
def test_file_that_holds_too_much_is_refused_in_little_memory(
    tmp_path: Path, name: str, pack: Pack, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(content))
    tracemalloc.start()
    try:
        with pytest.raises(PublishedFileTooLargeError):
            for _ in read_published_file(path):
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB


@PACKED
def test_line_of_nothing_but_faults_is_refused_with_few_reasons(
    tmp_path: Path, name: str, pack: Pack
) -> None:
    zeros = b"[" + b"0," * 30_000 + b"0]"
    path = tmp_path / name
    path.write_bytes(pack(b'{"subjects":%b,"channels":[0,0]}' % zeros))
    [entry] = read_published_file(path)
    assert isinstance(entry, Unreadable)
    assert len(entry.reasons) < 20
