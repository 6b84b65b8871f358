"""Random ids and salts without a system call for each: they are drawn many at a time."""

import os
from collections import deque

BLOCK_BYTES = 16
_BLOCKS = 256
_VARIANTS = "89ab"

# A deque gives each block out once, whichever thread asks.
_drawn: deque[bytes] = deque()
# A child process would else give out the blocks of its parent again.
os.register_at_fork(after_in_child=_drawn.clear)


def draw_block() -> bytes:
    """Return 16 bytes out of the generator of the operating system, never given out before."""
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
