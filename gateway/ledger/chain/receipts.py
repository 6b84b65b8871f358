"""The caller's receipt of one record of the ledger: `X-Ledger-Receipt`, a Dictionary of RFC 9651.

`record` is the id of the record, `salt` opens its commitments to the two bodies, `head` is the
header of the batch that holds it, by which the chain ended at that time, and `signature` signs
`head`. `completion` is the id of the record to come that commits to a long answer.
"""

from base64 import b64encode

RECEIPT_HEADER = b"x-ledger-receipt"


def seal_members(header: bytes, signature: bytes) -> bytes:
    """Return the members of a receipt that all records of one batch share."""
    return b"head=:%b:, signature=:%b:" % (b64encode(header), b64encode(signature))


def receipt(record_id: str, salt: bytes, seal: bytes, *, completion: str | None) -> bytes:
    """Return the value of the header; `seal` comes from `seal_members`."""
    members = b'record="%b", salt=:%b:, %b' % (record_id.encode(), b64encode(salt), seal)
    return members + b', completion="%b"' % completion.encode() if completion else members
