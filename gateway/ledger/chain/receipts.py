"""Write `X-Ledger-Receipt`, the receipt of a caller for one record (Dictionary of RFC 9651).

`record` is the id of the record, `salt` opens its commitments to the two bodies, `head` is the
header of its batch, which was the last of the chain at that time, and `signature` signs `head`.
`completion` is the id of the later record that commits to a long answer.
"""

from base64 import b64encode

from shared.web.calls.internal_headers import RECEIPT_HEADER, encode_names

(RECEIPT,) = encode_names(RECEIPT_HEADER)


def write_seal_members(header: bytes, signature: bytes) -> bytes:
    """Return the members of a receipt that all records of one batch share."""
    return b"head=:%b:, signature=:%b:" % (b64encode(header), b64encode(signature))


def write_receipt_value(
    record_id: str, salt: bytes, seal: bytes, *, completion: str | None
) -> bytes:
    """Return the value of the header; `seal` is the result of `write_seal_members`."""
    members = b'record="%b", salt=:%b:, %b' % (record_id.encode(), b64encode(salt), seal)
    return members + b', completion="%b"' % completion.encode() if completion else members
