"""Merkle trees (RFC 6962 §2.1): a leaf is hashed with 0x00 before it, a node with 0x01."""

from collections.abc import Sequence
from hashlib import sha256

DIGEST_SIZE = 32


def hash_leaf(record: bytes) -> bytes:
    return sha256(b"\x00" + record).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def compute_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root (32 bytes) of a tree over `leaves`, which are leaf hashes in order."""
    return _compute_levels(leaves)[-1][0] if leaves else sha256().digest()


def compute_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the siblings from leaf `index` up to the root; raise IndexError outside the tree."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} among {len(leaves)}")
    return _list_siblings(_compute_levels(leaves), index)


def compute_root_and_paths(leaves: Sequence[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """Return the root of at least one leaf and the path of each leaf, hashing every node once."""
    levels = _compute_levels(leaves)
    return levels[-1][0], [_list_siblings(levels, index) for index in range(len(leaves))]


def compute_root_from_path(
    leaf: bytes, index: int, count: int, siblings: Sequence[bytes]
) -> bytes | None:
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
            digest = hash_node(sibling, digest)
            # A last node without a sibling rose to the level where it got one.
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            digest = hash_node(digest, sibling)
        node, last = node >> 1, last >> 1
    return digest if last == 0 else None


def _compute_levels(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Return the nodes of each level, from the leaves up to the root."""
    levels = [leaves]
    while len(levels[-1]) > 1:
        levels.append(_compute_parents(levels[-1]))
    return levels


def _list_siblings(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    siblings = []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            siblings.append(level[sibling])
        index >>= 1
    return siblings


def _compute_parents(level: Sequence[bytes]) -> list[bytes]:
    """Return the level above; a last node without a sibling rises unchanged (RFC 6962 §2.1)."""
    pairs = zip(level[::2], level[1::2], strict=False)
    parents = [hash_node(left, right) for left, right in pairs]
    return parents if len(level) % 2 == 0 else [*parents, level[-1]]
