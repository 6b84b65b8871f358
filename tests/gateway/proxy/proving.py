"""The other side of a proof: what `deploy/verify_proof.py` does, as a function."""

from collections.abc import Sequence

from shared.crypto.merkle import hash_node


def verify(leaf: bytes, index: int, count: int, siblings: Sequence[bytes], expected: bytes) -> bool:
    """Is `leaf` (a leaf hash) the one at `index` of the `count` leaves under the root `expected`?

    RFC 9162 §2.1.3.2.
    """
    if not 0 <= index < count:
        return False
    last, reached = count - 1, leaf
    for sibling in siblings:
        if last == 0:
            return False
        if index % 2 or index == last:
            reached = hash_node(sibling, reached)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            reached = hash_node(reached, sibling)
        index, last = index // 2, last // 2
    return last == 0 and reached == expected
