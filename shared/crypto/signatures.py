"""A bounded cache of signatures that were verified."""

from collections import OrderedDict
from typing import Any, NamedTuple

import jwt

MAX_SIGNATURES = 10_000
MAX_SIGNED_CHARACTERS = 16 * 2**20  # of the signed texts; their claims take several times that


class HeldSignature(NamedTuple):
    """A verified signature with its key and claims; `until` is its expiry in Unix seconds."""

    kid: str
    key: jwt.PyJWK
    until: float
    claims: dict[str, Any]


class SignatureCache:
    """Cache signed texts until they expire; beyond either limit the oldest are evicted."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, HeldSignature] = OrderedDict()
        self._characters = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def characters(self) -> int:
        return self._characters

    def get(self, signed: str) -> HeldSignature | None:
        return self._held.get(signed)

    def keep(self, signed: str, held: HeldSignature, *, now: float) -> None:
        """Store the signature, and evict the oldest, as all have about the same lifetime.

        `now` is in Unix seconds.
        """
        self._drop(signed)
        self._held[signed] = held
        self._characters += len(signed)
        while self._held and (
            len(self._held) > MAX_SIGNATURES
            or self._characters > MAX_SIGNED_CHARACTERS
            or next(iter(self._held.values())).until <= now
        ):
            self._drop(next(iter(self._held)))

    def _drop(self, signed: str) -> None:
        if self._held.pop(signed, None) is not None:
            self._characters -= len(signed)
