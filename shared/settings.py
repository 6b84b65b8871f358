"""Settings that every process reads from its environment; without a default they are required."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy import URL, make_url

MIN_CALL_KEY_BYTES, MAX_CALL_KEY_BYTES = 32, 64
MIN_DIGEST_KEY_CHARACTERS = 32


def _require_call_key_length(key: SecretStr) -> SecretStr:
    if not MIN_CALL_KEY_BYTES <= len(key.get_secret_value().encode()) <= MAX_CALL_KEY_BYTES:
        raise ValueError(f"a call key has {MIN_CALL_KEY_BYTES} to {MAX_CALL_KEY_BYTES} bytes")
    return key


# The gateway and one service share this key, with which the gateway authenticates each call.
CallKey = Annotated[SecretStr, AfterValidator(_require_call_key_length)]


class BrokerSettings(BaseSettings):
    """The connection to the brokers. A file of a setting's name in `SECRETS_DIR` comes first."""

    model_config = SettingsConfigDict(extra="ignore")

    kafka_servers: str
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_user: str = ""
    kafka_password: SecretStr | None = None
    # The issuers of the brokers' certificates, PEM; empty for those that the machine trusts.
    kafka_ca_file: str = ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 -- the signature is of the library
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read a file before a variable, which a shell or `.env` may have left behind."""
        return init_settings, file_secret_settings, env_settings, dotenv_settings


class ServiceSettings(BrokerSettings):
    """Settings shared by all services."""

    # The secrets that stored data depends on, so that no process starts with others; beside a key
    # that is replaced in steps, the setting that holds its other public keys.
    kept_secrets: ClassVar[Mapping[str, str | None]] = MappingProxyType(
        {"digest_key": None, "event_key": "event_keys_retired"}
    )

    name: str
    database_url: str = Field(description="postgresql+asyncpg://role@host/database")
    database_password: SecretStr | None = None
    database_pool: int = 10
    # The key of the stored digests of requests. All processes of a service share it and keep it
    # over restarts, because with another key a true repeat is refused as another request.
    digest_key: SecretStr = Field(min_length=MIN_DIGEST_KEY_CHARACTERS)
    # False if another job creates topics, and this service may not.
    kafka_creates_topics: bool = True
    # The embedded broker has no idempotent producer and does not wake a waiting fetch.
    kafka_idempotent: bool = True
    kafka_fetch_wait_ms: int = 500
    # False assigns all partitions to one worker, because the embedded broker makes a killed member
    # wait 20 s.
    kafka_group: bool = True
    # The embedded broker loses its data at a stop, so events are published again at each start.
    replay_at_start: bool = False
    host: str = "127.0.0.1"
    port: int = 8000
    worker_port: int = 8200
    # The Ed25519 key, PEM (PKCS #8), that signs the events of this service.
    event_key: SecretStr
    # Further public keys to publish, PEM, concatenated: earlier ones until no event that they
    # signed can come again, and the next one before it signs.
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
        """Read the environment and the secrets folder; raise ValidationError naming each fault."""
        # Passed explicitly, because some shells set a variable NAME.
        name = cls.model_fields["name"].default
        return cls(name=name, _secrets_dir=os.environ.get("SECRETS_DIR") or None)

    @property
    def service_urls(self) -> Mapping[str, str]:
        """The address at which other services reach a service, by its name."""
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
