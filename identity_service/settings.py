import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from shared.settings import CallKey, ServiceSettings

# Gateways and services cache public keys for five minutes; a token must not live much longer.
MAX_TOKEN_S = 600
GUESS_MEMORY_S = 30 * 86_400
# All users of a sandbox verify the same few personas.
SANDBOX_GUESS_MEMORY_S = 120
# A scheme, a host and perhaps a port: no user, and no path.
_ADDRESS = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def _default_guess_memory(read: dict[str, Any]) -> int:
    return SANDBOX_GUESS_MEMORY_S if read.get("sandbox") else GUESS_MEMORY_S


def _require_addresses(aliases: str) -> str:
    for alias in filter(None, aliases.split(",")):
        if not _ADDRESS.fullmatch(alias):
            raise ValueError("name addresses such as https://mesh.example:8443, without a path")
    return aliases


class Settings(ServiceSettings):
    kept_secrets: ClassVar[Mapping[str, str | None]] = MappingProxyType(
        {**ServiceSettings.kept_secrets, "person_hash_key": None, "key_encryption_key": None}
    )

    name: str = "identity_service"
    port: int = 8101
    worker_port: int = 8201
    # Only for trials: `seed` adds clients with secrets, their rights and synthetic people, and the
    # secrets are accepted. Elsewhere a client must sign its requests.
    sandbox: bool = False
    call_key: CallKey
    # Further addresses at which callers reach the gateway, separated by commas.
    issuer_aliases: Annotated[str, AfterValidator(_require_addresses)] = ""
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
    def issuers(self) -> tuple[str, ...]:
        """Return the addresses of the gateway: `issuer` first, which each token names.

        A gateway at 127.0.0.1 is called by the name localhost as well.
        """
        aliases = filter(None, self.issuer_aliases.split(","))
        is_local = urlsplit(self.issuer).hostname == "127.0.0.1"
        by_name = [self.issuer.replace("127.0.0.1", "localhost", 1)] if is_local else []
        return tuple(dict.fromkeys((self.issuer, *by_name, *aliases)))

    def find_issuer(self, host: str | None) -> str:
        """Return the address with this Host (RFC 9110 §7.2), or `issuer` where none has it.

        The list is closed: a name that a caller has made up is never repeated.
        """
        hosts = {urlsplit(issuer).netloc.lower(): issuer for issuer in reversed(self.issuers)}
        return hosts.get((host or "").lower(), self.issuer)

    @property
    def token_audiences(self) -> tuple[str, ...]:
        """Return the audiences that an assertion may name: each issuer and each token endpoint."""
        return (*self.issuers, *(f"{issuer}/oauth/token" for issuer in self.issuers))
