"""Define the responses of the token endpoint and of its metadata."""

from typing import Literal

from pydantic import BaseModel


class TokenOut(BaseModel):
    """A token response (RFC 6749 §5.1) gives `expires_in` in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 -- a kind of token
    expires_in: int


class ServerMetadata(BaseModel):
    """The metadata of the token endpoint (RFC 8414 §2)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    grant_types_supported: list[str]
    response_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    token_endpoint_auth_signing_alg_values_supported: list[str]
