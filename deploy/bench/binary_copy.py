"""Columns of whole numbers in the binary format of COPY: no Python object is made for a row."""

from collections.abc import Mapping
from itertools import chain

import numpy as np
from numpy.typing import NDArray

# A signature, no flags, no extension; at the end a row of -1 fields.
BEGIN, END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


def rows(columns: Mapping[str, NDArray[np.int64]]) -> bytes:
    """Return rows whose columns are all bigint without NULL."""
    fields = chain.from_iterable(((f"{name}: size", ">i4"), (name, ">i8")) for name in columns)
    made = np.empty(len(next(iter(columns.values()))), [("fields", ">i2"), *fields])
    made["fields"] = len(columns)
    for name, column in columns.items():
        made[f"{name}: size"] = 8
        made[name] = column
    return made.tobytes()
