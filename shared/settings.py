"""Settings that every process reads from its environment; one without a default must be given."""

import os
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, make_url

MIN_CALL_KEY_BYTES, MAX_CALL_KEY_BYTES = 32, 64
MIN_DIGEST_KEY_CHARACTERS = 32


def _require_call_key_length(key: SecretStr) -> SecretStr:
    if not MIN_CALL_KEY_BYTES <= len(key.get_secret_value().encode()) <= MAX_CALL_KEY_BYTES:
        raise ValueError(f"a call key has {MIN_CALL_KEY_BYTES} to {MAX_CALL_KEY_BYTES} bytes")
    return key


# The gateway and one service behind it share a key, by which the gateway proves each of its calls.
CallKey = Annotated[SecretStr, AfterValidator(_require_call_key_length)]


class BrokerSettings(BaseSettings):
    """The way to the brokers. A secret may also be a file of the same name in `SECRETS_DIR`."""

    model_config = SettingsConfigDict(extra="ignore")

    kafka_servers: str
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_user: str = ""
    kafka_password: SecretStr | None = None
    # The issuers of the brokers' certificates, PEM; empty: those that the machine trusts.
    kafka_ca_file: str = ""


class ServiceSettings(BrokerSettings):
    """Settings shared by all services."""

    name: str
    database_url: str = Field(description="postgresql+asyncpg://role@host/database")
    database_password: SecretStr | None = None
    database_pool: int = 10
    # Keys each stored digest of what a caller sent. All processes of a service share it and keep it
    # over restarts: by another one, a true repeat looks like another request and is refused.
    digest_key: SecretStr = Field(min_length=MIN_DIGEST_KEY_CHARACTERS)
    # False where another job makes topics, and this service may not.
    kafka_creates_topics: bool = True
    # The embedded broker knows no idempotent producer and wakes no waiting fetch.
    kafka_idempotent: bool = True
    kafka_fetch_wait_ms: int = 500
    # False: one worker takes all partitions. The embedded broker lets who was killed wait 20 s.
    kafka_group: bool = True
    # The embedded broker forgets: what was sent is sent again at each start.
    replay_at_start: bool = False
    host: str = "127.0.0.1"
    port: int = 8000
    worker_port: int = 8200
    # Ed25519, PEM (PKCS #8): it signs the events of this service.
    event_key: SecretStr
    # Public keys, PEM, one after the other, published beside it: those used before, until nothing
    # that they signed can come again, and the next one, before it signs.
    event_keys_retired: str = ""
    identity_url: str = "http://127.0.0.1:8101"
    dossier_url: str = "http://127.0.0.1:8102"
    sync_url: str = "http://127.0.0.1:8103"
    gateway_url: str = "http://127.0.0.1:8000"
    issuer: str = "https://lienthong.local"
    log_format: Literal["json", "console"] = "json"
    log_level: str = "INFO"
    tracing_endpoint: str = ""

    @classmethod
    def read(cls) -> Self:
        """From the environment and the secrets folder; raises ValidationError naming what lacks."""
        # Given here, `name` is not taken from a variable NAME, which some shells set.
        name = cls.model_fields["name"].default
        return cls(name=name, _secrets_dir=os.environ.get("SECRETS_DIR") or None)

    @property
    def service_urls(self) -> Mapping[str, str]:
        """By the name of the service, the address at which other services reach it."""
        return {
            "identity_service": self.identity_url,
            "dossier_service": self.dossier_url,
            "sync_service": self.sync_url,
            "gateway": self.gateway_url,
        }

    @property
    def database(self) -> URL:
        url = make_url(self.database_url)
        if self.database_password is None:
            return url
        return url.set(password=self.database_password.get_secret_value())
