"""Read the client that an unproven request claims to be. The result serves for counting only."""

import re
from base64 import b64decode, urlsafe_b64decode
from urllib.parse import unquote_to_bytes

import orjson

_MAX_CLAIM = 64
_NO_CLAIM = ""
_FORM_CLIENT = re.compile(rb"(?:^|&)client_id=([^&]*)")
_FORM_ASSERTION = re.compile(rb"(?:^|&)client_assertion=([^&]*)")


def client_of_form(body: bytes) -> str:
    """Return the `client_id` of a token request, or the subject of its assertion."""
    if named := _FORM_CLIENT.search(body):
        return _short(unquote_to_bytes(named[1]))
    if assertion := _FORM_ASSERTION.search(body):
        return _subject(unquote_to_bytes(assertion[1]))
    return _NO_CLAIM


def client_of_basic(authorization: bytes) -> str:
    scheme, _, credentials = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return _NO_CLAIM
    try:
        return _short(b64decode(credentials).partition(b":")[0])
    except ValueError:
        return _NO_CLAIM


def client_of_token(authorization: bytes) -> str:
    return _subject(authorization.rpartition(b" ")[2])


def _subject(token: bytes) -> str:
    """Return the subject of a JWT without verifying its signature."""
    payload = token.split(b".")[1:2]
    try:
        claims = orjson.loads(urlsafe_b64decode(b"".join(payload) + b"=="))
        return _short(claims["sub"].encode())
    except (ValueError, TypeError, KeyError, AttributeError):
        return _NO_CLAIM


def _short(claim: bytes) -> str:
    return claim[:_MAX_CLAIM].decode("ascii", "replace")
