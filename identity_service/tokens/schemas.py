"""Define the response of the token endpoint."""

from typing import Literal

from pydantic import (
    BaseModel,
)


class TokenOut(BaseModel):
    """A token response (RFC 6749 §5.1) gives `expires_in` in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 -- a kind of token
    expires_in: int
