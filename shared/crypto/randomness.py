"""Random ids and salts, drawn in blocks because a system call for each is too slow."""

import os
from collections import deque

BLOCK_BYTES = 16
_BLOCKS = 256
_VARIANTS = "89ab"

# The methods of a deque are atomic, so no two threads receive the same block.
_drawn: deque[bytes] = deque()
# Without this, a forked child would return the blocks of its parent again.
os.register_at_fork(after_in_child=_drawn.clear)


def draw_block() -> bytes:
    """Return 16 random bytes of the operating system, each block only once."""
    try:
        return _drawn.popleft()
    except IndexError:
        block, *others = _draw_blocks()
        _drawn.extend(others)
        return block


def draw_uuid() -> str:
    """Return a UUID of version 4 (RFC 9562) as text."""
    digits = draw_block().hex()
    variant = _VARIANTS[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _draw_blocks() -> list[bytes]:
    drawn = os.urandom(_BLOCKS * BLOCK_BYTES)
    return [drawn[start : start + BLOCK_BYTES] for start in range(0, len(drawn), BLOCK_BYTES)]
