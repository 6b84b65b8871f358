"""Read the client that an unproven request claims to be. The result serves for counting only."""

import re
from base64 import b64decode, urlsafe_b64decode
from urllib.parse import unquote_to_bytes

import orjson

_MAX_CLAIM = 64
_NO_CLAIM = ""
_FORM_CLIENT = re.compile(rb"(?:^|&)client_id=([^&]*)")
_FORM_ASSERTION = re.compile(rb"(?:^|&)client_assertion=([^&]*)")


def read_form_client(body: bytes) -> str:
    """Return the `client_id` of a token request, or the subject of its assertion."""
    if named := _FORM_CLIENT.search(body):
        return _shorten_claim(unquote_to_bytes(named[1]))
    if assertion := _FORM_ASSERTION.search(body):
        return _read_token_subject(unquote_to_bytes(assertion[1]))
    return _NO_CLAIM


def read_basic_client(authorization: bytes) -> str:
    scheme, _, credentials = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return _NO_CLAIM
    try:
        return _shorten_claim(b64decode(credentials).partition(b":")[0])
    except ValueError:
        return _NO_CLAIM


def read_token_client(authorization: bytes) -> str:
    return _read_token_subject(authorization.rpartition(b" ")[2])


def _read_token_subject(token: bytes) -> str:
    """Return the subject of a JWT without verifying its signature."""
    payload = token.split(b".")[1:2]
    try:
        claims = orjson.loads(urlsafe_b64decode(b"".join(payload) + b"=="))
        return _shorten_claim(claims["sub"].encode())
    except (ValueError, TypeError, KeyError, AttributeError):
        return _NO_CLAIM


def _shorten_claim(claim: bytes) -> str:
    return claim[:_MAX_CLAIM].decode("ascii", "replace")
