from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from shared.settings import CallKey, ServiceSettings

# Gateways and services keep public keys for five minutes; a token must not outlive much more.
LONGEST_TOKEN_SECONDS = 600


class Settings(ServiceSettings):
    name: str = "identity_service"
    port: int = 8101
    worker_port: int = 8201
    call_key: CallKey
    person_hash_key: SecretStr
    key_encryption_key: SecretStr = Field(description="a Fernet key: 32 bytes in base64url")
    token_seconds: int = Field(default=LONGEST_TOKEN_SECONDS, gt=0, le=LONGEST_TOKEN_SECONDS)
    # Where people are looked up: the own register, or a service of the national data platform.
    source: Literal["register", "remote"] = "register"
    source_url: str = ""
    source_seconds: float = Field(default=3.0, gt=0)
    source_client: str = Field(default="", description="X-Road-Client: INSTANCE/CLASS/MEMBER/…")
    source_api_key: SecretStr | None = None
    # What `seed` puts in.
    people: int = Field(default=10_000, ge=0)
    people_seed: int = 1
    sandbox_file: Path | None = None

    @property
    def hash_key(self) -> bytes:
        return self.person_hash_key.get_secret_value().encode()

    @property
    def token_endpoints(self) -> tuple[str, ...]:
        """What an assertion may name as its audience: the issuer, or the endpoint's address."""
        return (
            self.issuer,
            f"{self.issuer}/oauth/token",
            f"{self.gateway_url}/oauth/token",
        )
