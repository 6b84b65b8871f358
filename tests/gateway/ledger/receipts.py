"""A caller's receipt, read as RFC 9651 has it."""

import re
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, Self

_MEMBER = re.compile(r'([a-z]+)=(?:"([^"]*)"|:([A-Za-z0-9+/=]*):)')


@dataclass(frozen=True)
class Receipt:
    record: str
    salt: bytes
    head: bytes
    signature: bytes
    completion: str | None = None

    @classmethod
    def read(cls, value: str) -> Self:
        members = value.split(", ")
        found = [_MEMBER.fullmatch(member) for member in members]
        assert all(found), value
        told: dict[str, Any] = {
            match[1]: match[2] if match[2] is not None else b64decode(match[3])
            for match in found
            if match
        }
        return cls(**told)
