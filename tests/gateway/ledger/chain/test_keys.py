from pydantic import SecretStr

from deploy.secrets import ed25519_key
from gateway.ledger.chain.keys import ledger_keys, public_pem
from shared.crypto.ed25519 import read_private_key


def test_retired_ledger_keys_stay_trusted() -> None:
    present, before, long_before = (
        read_private_key("ledger_key", SecretStr(ed25519_key())).public_key() for _ in range(3)
    )
    retired = (public_pem(before) + b"\n" + public_pem(long_before)).decode()
    assert list(ledger_keys(present, retired).values()) == [present, before, long_before]
