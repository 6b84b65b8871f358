"""What the gateway signs of a right can be checked, and holds at the moment it is shown."""

import math
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.access.assertion import RightsSigner
from gateway.access.right_in_force import EffectiveRight
from tests.support.gateway_harness import (
    VERIFY,
    Gate,
    make_grant,
)

NOW, STEP = 1_800_000_000.0, 600.0


def test_assertion_signed_by_a_clock_that_was_ahead_is_not_shown_again() -> None:
    signer, right = RightsSigner(Ed25519PrivateKey.generate()), _right()
    _signed_at(signer, right, NOW + STEP)
    assert _signed_at(signer, right, NOW) == NOW
    assert _signed_at(signer, right, NOW + 1) == NOW, "signed anew for each call"


def _right() -> EffectiveRight:
    return EffectiveRight(
        grants=("one",),
        procedures=None,
        fields=None,
        agencies=None,
        ends=math.inf,
    )


def _signed_at(signer: RightsSigner, right: EffectiveRight, now: float) -> float:
    signed = signer.sign_right_assertion(
        right, client="onestop-h26", operation="GET /a", audience="dossier_service", now=now
    )
    at: float = jwt.decode(signed, options={"verify_signature": False})["iat"]
    return at


async def test_service_gets_an_assertion_that_it_can_check(gate: Gate) -> None:
    grant = make_grant(procedures=["1.001193"], fields=["name"], agencies=["H26", "H26.14"])
    client = await gate.newcomer(grant)
    await gate.ask(VERIFY, client=client)
    signed = gate.services.asked[-1].headers["X-Right"]
    keys = jwt.PyJWKSet.from_dict((await gate.http.get("/.well-known/right-keys.json")).json())
    kid = jwt.get_unverified_header(signed)["kid"]
    claims = jwt.decode(
        signed, keys[kid], algorithms=["EdDSA"], issuer="gateway", audience="identity_service"
    )
    assert claims["exp"] - time.time() <= 61
    assert {name: claims[name] for name in ("sub", "operation", "grants")} == {
        "sub": client,
        "operation": VERIFY,
        "grants": [str(grant.grant_id)],
    }
    assert claims["procedures"] == ["1.001193"]
    assert claims["fields"] == ["name"]
    assert claims["agencies"] == ["H26", "H26.14"]


async def test_assertion_is_signed_once_and_anew_when_the_right_changes(gate: Gate) -> None:
    grant = make_grant()
    client = await gate.newcomer(grant)
    await gate.ask(VERIFY, client=client)
    await gate.ask(VERIFY, client=client)
    first, second = (request.headers["X-Right"] for request in gate.services.asked[-2:])
    assert first == second
    await gate.tell(grant.model_copy(update={"client_id": client, "version": 2, "fields": ["sex"]}))
    await gate.ask(VERIFY, client=client)
    changed = jwt.decode(
        gate.services.asked[-1].headers["X-Right"], options={"verify_signature": False}
    )
    assert changed["fields"] == ["sex"]


async def test_assertion_ends_with_its_grant(gate: Gate) -> None:
    end = datetime.now(UTC) + timedelta(seconds=20)
    client = await gate.newcomer(make_grant(valid_to=end))
    await gate.ask(VERIFY, client=client)
    signed = gate.services.asked[-1].headers["X-Right"]
    claims = jwt.decode(signed, options={"verify_signature": False})
    assert 0 <= claims["exp"] - end.timestamp() < 1


async def test_assertion_holds_200_codes_on_the_wire(gate: Gate) -> None:
    grants = [make_grant(grant_id=uuid4(), procedures=[f"1.{n:06}"]) for n in range(200)]
    client = await gate.newcomer(*grants)
    answer = await gate.ask(VERIFY, client=client, headers={"X-Purpose": "1.000117"})
    assert answer.is_success
    signed = gate.services.asked[-1].headers["X-Right"]
    claims = jwt.decode(signed, options={"verify_signature": False})
    assert len(claims["procedures"]) == len(claims["grants"]) == 200
