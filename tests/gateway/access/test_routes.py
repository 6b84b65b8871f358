import jwt

from tests.support.gateway_harness import (
    Gate,
)


async def test_right_key_is_named_by_its_thumbprint(gate: Gate) -> None:
    [key] = (await gate.http.get("/.well-known/right-keys.json")).json()["keys"]
    assert (key["kty"], key["crv"], key["alg"], len(key["kid"])) == ("OKP", "Ed25519", "EdDSA", 43)
    assert "d" not in key
    assert jwt.PyJWKSet.from_dict({"keys": [key]}).keys
