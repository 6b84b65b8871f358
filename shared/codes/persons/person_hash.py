"""How a person is named where the personal number itself must not stand."""

import hmac


def hash_person(personal_number: str, key: bytes) -> str:
    """HMAC-SHA256 of the 12-digit number, 64 hex digits: the same person, never the number."""
    return hmac.digest(key, personal_number.encode(), "sha256").hex()
