"""The answer of the token endpoint."""

from typing import Literal

from pydantic import (
    BaseModel,
)


class TokenOut(BaseModel):
    """RFC 6749 §5.1; `expires_in` in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 -- a kind of token
    expires_in: int
