"""Ids and salts out of a pool are as good as drawn one by one."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

from shared.crypto.randomness import draw_block, draw_uuid

MANY = 3_000
# In a process of its own: a copy of this one would hold locks of threads that it does not have.
FORKING = f"""
import os, sys
from shared.crypto.randomness import draw_block
draw_block()  # the pool is full now, and the child is a copy of this process
child = os.fork()
for _ in range({MANY}):
    print(draw_block().hex(), file=sys.stdout if child else sys.stderr)
if child:
    os.waitpid(child, 0)
"""


def _blocks(count: int) -> list[bytes]:
    return [draw_block() for _ in range(count)]


def test_no_block_is_given_out_twice() -> None:
    blocks = _blocks(MANY)
    assert len(set(blocks)) == MANY
    assert {len(block) for block in blocks} == {16}


def test_threads_share_no_block() -> None:
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(_blocks, [MANY] * 8))
    assert len({block for blocks in drawn for block in blocks}) == 8 * MANY


def test_forked_process_shares_no_block_with_its_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, check=True, timeout=300
    )
    ours, theirs = set(done.stdout.split()), set(done.stderr.split())
    assert (len(ours), len(theirs)) == (MANY, MANY)
    assert ours.isdisjoint(theirs)


def test_uuid_is_one_of_version_4() -> None:
    for _ in range(MANY):
        text = draw_uuid()
        read = UUID(text)
        assert (str(read), read.version, read.variant) == (text, 4, RFC_4122)


def test_all_variants_and_free_digits_occur() -> None:
    texts = [draw_uuid() for _ in range(MANY)]
    assert {text[19] for text in texts} == set("89ab")
    assert all(len({text[place] for text in texts}) == 16 for place in (0, 15, 20, 35))
