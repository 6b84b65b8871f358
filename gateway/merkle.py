"""Merkle trees as in RFC 6962 §2.1: a leaf is hashed with 0x00 before it, a node with 0x01."""

from collections.abc import Sequence
from hashlib import sha256

DIGEST_SIZE = 32


def leaf_hash(record: bytes) -> bytes:
    return sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The 32 bytes that stand for all `leaves` (leaf hashes) in their order."""
    level = list(leaves)
    while len(level) > 1:
        level = _parents(level)
    return level[0] if level else sha256().digest()


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings from leaf `index` up to the root; raises IndexError outside the tree."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} among {len(leaves)}")
    level, siblings = list(leaves), []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            siblings.append(level[sibling])
        level, index = _parents(level), index // 2
    return siblings


def _parents(level: Sequence[bytes]) -> list[bytes]:
    """One level up. A last node without a sibling rises unchanged: RFC 6962's splitting."""
    pairs = zip(level[::2], level[1::2], strict=False)
    parents = [node_hash(left, right) for left, right in pairs]
    return parents if len(level) % 2 == 0 else [*parents, level[-1]]
