from pydantic import SecretStr

from deploy.secrets import ed25519_key
from gateway.ledger.chain.keys import encode_public_pem, list_trusted_keys
from shared.crypto.ed25519 import read_private_key


def test_retired_ledger_keys_stay_trusted() -> None:
    present, before, long_before = (
        read_private_key("ledger_key", SecretStr(ed25519_key())).public_key() for _ in range(3)
    )
    retired = (encode_public_pem(before) + b"\n" + encode_public_pem(long_before)).decode()
    assert list(list_trusted_keys(present, retired).values()) == [present, before, long_before]
