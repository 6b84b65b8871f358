"""What the gateway signs holds at the moment it is shown."""

import math

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.keys import RightsSigner
from gateway.rights import RightInForce

NOW, STEP = 1_800_000_000.0, 600.0


def test_assertion_signed_by_a_clock_that_was_ahead_is_not_shown_again() -> None:
    signer, right = RightsSigner(Ed25519PrivateKey.generate()), _right()
    _signed_at(signer, right, NOW + STEP)
    assert _signed_at(signer, right, NOW) == NOW
    assert _signed_at(signer, right, NOW + 1) == NOW, "signed anew for each call"


def _right() -> RightInForce:
    return RightInForce(
        grants=("one",),
        procedures=None,
        fields=None,
        agencies=None,
        ends=math.inf,
        per_second=None,
        per_day=None,
    )


def _signed_at(signer: RightsSigner, right: RightInForce, now: float) -> float:
    signed = signer.assertion(
        right, client="onestop-h26", operation="GET /a", audience="dossier_service", now=now
    )
    at: float = jwt.decode(signed, options={"verify_signature": False})["iat"]
    return at
