"""The keyed hash that names a person where the personal number must not stand."""

import hmac


def hash_person(personal_number: str, key: bytes) -> str:
    """Return HMAC-SHA256 of the 12-digit number as 64 hex digits."""
    return hmac.digest(key, personal_number.encode(), "sha256").hex()
