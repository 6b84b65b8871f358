from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr

from shared.settings import CallKey, ServiceSettings

# Gateways and services cache public keys for five minutes; a token must not live much longer.
MAX_TOKEN_S = 600
GUESS_MEMORY_S = 30 * 86_400
# All users of a sandbox verify the same few personas.
SANDBOX_GUESS_MEMORY_S = 120


def _default_guess_memory(read: dict[str, Any]) -> int:
    return SANDBOX_GUESS_MEMORY_S if read.get("sandbox") else GUESS_MEMORY_S


class Settings(ServiceSettings):
    name: str = "identity_service"
    port: int = 8101
    worker_port: int = 8201
    # Only for trials: `seed` adds clients with secrets, their rights and synthetic people, and the
    # secrets are accepted. Elsewhere a client must sign its requests.
    sandbox: bool = False
    call_key: CallKey
    person_hash_key: SecretStr
    key_encryption_key: SecretStr = Field(description="a Fernet key: 32 bytes in base64url")
    token_seconds: int = Field(default=MAX_TOKEN_S, gt=0, le=MAX_TOKEN_S)
    # The source of people: our own register, or a service of the national data platform.
    source: Literal["register", "remote"] = "register"
    source_url: str = ""
    source_seconds: float = Field(default=3.0, gt=0)
    source_client: str = Field(default="", description="X-Road-Client: INSTANCE/CLASS/MEMBER/…")
    source_api_key: SecretStr | None = None
    # Wrong claims about one person after which an officer or an agency has to wait.
    guesses_of_officer: int = Field(default=5, gt=0)
    guesses_of_agency: int = Field(default=8, gt=0)
    # Seconds until wrong claims expire after the last one, and the first wait; each next doubles.
    guess_memory_seconds: int = Field(default_factory=_default_guess_memory, gt=0)
    guess_wait_seconds: int = Field(default=60, gt=0)
    # Wrong claims an hour, about all people, from which their share of the calls is limited; five
    # times as many exceed the limit at any share.
    misses_of_officer: int = Field(default=20, gt=0)
    misses_of_client: int = Field(default=200, gt=0)
    misses_of_agency: int = Field(default=400, gt=0)
    # The number and the seed of a sandbox's people, and the file of its clients' secrets.
    people: int = Field(default=10_000, ge=0)
    people_seed: int = 1
    sandbox_file: Path | None = None

    @property
    def hash_key(self) -> bytes:
        return self.person_hash_key.get_secret_value().encode()

    @property
    def token_endpoints(self) -> tuple[str, ...]:
        """Return the audiences that an assertion may name: the issuer or the endpoint's address."""
        return (
            self.issuer,
            f"{self.issuer}/oauth/token",
            f"{self.gateway_url}/oauth/token",
        )
