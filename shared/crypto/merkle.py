"""Merkle trees (RFC 6962 §2.1): a leaf is hashed with 0x00 before it, a node with 0x01."""

from collections.abc import Sequence
from hashlib import sha256

DIGEST_SIZE = 32


def leaf_hash(record: bytes) -> bytes:
    return sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The 32 bytes that stand for all `leaves` (leaf hashes) in their order."""
    return _levels(leaves)[-1][0] if leaves else sha256().digest()


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings from leaf `index` up to the root; raises IndexError outside the tree."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} among {len(leaves)}")
    return _siblings(_levels(leaves), index)


def root_and_paths(leaves: Sequence[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """The root of at least one leaf, and the path of each leaf, hashing every node once."""
    levels = _levels(leaves)
    return levels[-1][0], [_siblings(levels, index) for index in range(len(leaves))]


def root_from_path(leaf: bytes, index: int, count: int, siblings: Sequence[bytes]) -> bytes | None:
    """Return the root to which the path leads (RFC 9162 §2.1.3.2).

    None where the path is not that of leaf `index` in a tree of `count` leaves.
    """
    if not 0 <= index < count:
        return None
    digest, node, last = leaf, index, count - 1
    for sibling in siblings:
        if last == 0:
            return None
        if node & 1 or node == last:
            digest = node_hash(sibling, digest)
            # A last node without a sibling rose to the level where it got one.
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        node, last = node >> 1, last >> 1
    return digest if last == 0 else None


def _levels(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """The nodes of each level, from the leaves to the root alone."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        levels.append(_parents(levels[-1]))
    return levels


def _siblings(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    siblings = []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            siblings.append(level[sibling])
        index >>= 1
    return siblings


def _parents(level: Sequence[bytes]) -> list[bytes]:
    """One level up. A last node without a sibling rises unchanged: RFC 6962's splitting."""
    pairs = zip(level[::2], level[1::2], strict=False)
    parents = [node_hash(left, right) for left, right in pairs]
    return parents if len(level) % 2 == 0 else [*parents, level[-1]]
