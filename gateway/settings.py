"""Define the settings of the gateway."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field, SecretStr

from shared.settings import CallKey, ServiceSettings


class Settings(ServiceSettings):
    """Hold the settings of the gateway, in addition to those of every service.

    `rights_key` and `ledger_key` are Ed25519 private keys in PEM (PKCS #8). `ledger_keys_retired`
    holds the public keys, in PEM one after the other, of ledger keys used before, so that seals
    they signed stay provable. It is a setting and not read from the database, because a process
    that can write the database could otherwise add a key. `trusted_proxies` lists addresses or
    networks separated by commas: the gateway accepts their X-Forwarded-For, and they may read the
    metrics. A client may hold `client_share` times as many of a service's slots as are free. In a
    `sandbox` the gateway shows the page of its clients and people.
    """

    kept_secrets: ClassVar[Mapping[str, str | None]] = MappingProxyType(
        {**ServiceSettings.kept_secrets, "ledger_key": "ledger_keys_retired"}
    )

    name: str = "gateway"
    identity_call_key: CallKey
    dossier_call_key: CallKey
    sync_call_key: CallKey
    rights_key: SecretStr
    ledger_key: SecretStr
    ledger_keys_retired: str = ""
    trusted_proxies: str = ""
    client_share: float = Field(default=0.5, gt=0)
    sandbox: bool = False
