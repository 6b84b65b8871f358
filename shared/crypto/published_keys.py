"""The public keys that a service publishes, as a verifier of signatures needs them."""

from typing import Protocol

import jwt


class KeysUnavailableError(Exception):
    """The published keys cannot be fetched, so a signature can be neither accepted nor refused."""


class PublishedKeys(Protocol):
    """The published keys of one service."""

    async def get_current(self, kid: str, since: float) -> jwt.PyJWK | None:
        """Return None for a key that was not published after `since`, by the monotonic clock.

        Raise KeysUnavailableError where the published keys cannot be read.
        """
