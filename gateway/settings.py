"""What the gateway reads from its environment beyond what every service reads."""

from pydantic import Field, SecretStr

from shared.settings import CallKey, ServiceSettings


class Settings(ServiceSettings):
    """`rights_key` and `ledger_key` are Ed25519 private keys in PEM (PKCS #8).

    `ledger_keys_retired` holds the public keys, in PEM one after the other, of ledger keys used
    before: what they signed stays provable. It is given, never read from the database, so that
    whoever writes there cannot bring a key along. `trusted_proxies` are addresses or networks,
    parted by commas: their X-Forwarded-For is believed, and they may read the metrics.
    A client may hold `client_share` times as many of a service's slots as are free.
    """

    name: str = "gateway"
    identity_call_key: CallKey
    dossier_call_key: CallKey
    sync_call_key: CallKey
    rights_key: SecretStr
    ledger_key: SecretStr
    ledger_keys_retired: str = ""
    trusted_proxies: str = ""
    client_share: float = Field(default=0.5, gt=0)
