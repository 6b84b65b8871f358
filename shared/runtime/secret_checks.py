"""Keep a process from starting with other secrets than those that its stored data depends on.

With another key a person has another hash, seals prove nothing and stored keys stay sealed. The
database therefore keeps a check value of each such secret: the thumbprint of a signing key, which
is public, or a keyed hash of a constant. The first start of a database stores them.
"""

import hmac
import os
from collections.abc import Mapping, Sequence

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.crypto.ed25519 import compute_key_id, read_private_key, read_public_keys
from shared.database.engine import open_database
from shared.database.errors import retry_during_outage
from shared.database.session import Base
from shared.settings import ServiceSettings

# Another text would make each stored check value a wrong one.
_CONSTANT = "check value of the secret {name}"


class SecretCheck(Base):
    """The check value of a secret that the rows of this database depend on."""

    __tablename__ = "secret_check"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class SecretsChangedError(Exception):
    """Secrets are not those of the database; the text names them, their place and the remedy."""

    def __init__(self, names: Sequence[str]) -> None:
        directory = os.environ.get("SECRETS_DIR") or "the environment"
        differ = "differs from the one" if len(names) == 1 else "differ from those"
        super().__init__(
            f"{' and '.join(names)} in {directory} {differ} that the data in the database was "
            "made with. Nothing is changed. Put the secrets back from a back-up (`make restore` "
            "beside `make run`). docs/backup.md says how, and what to do without one."
        )


async def require_kept_secrets(settings: ServiceSettings) -> None:
    """Raise SecretsChangedError unless the secrets are those that the database was made with.

    An outage of the database is waited out. A signing key may be replaced where the earlier one is
    among the published public keys; its check value then becomes that of the new one. Raise
    KeyUnfitError for a text that is no key.
    """
    values = {name: list_check_values(settings, name) for name in settings.kept_secrets}
    await _compare_check_values(settings, values)


async def accept_secret(session: AsyncSession, settings: ServiceSettings, name: str) -> None:
    """Let the present secret `name` be the one that the data depends on from now on."""
    value, *_ = list_check_values(settings, name)
    row = insert(SecretCheck).values(name=name, value=value)
    await session.execute(
        row.on_conflict_do_update(index_elements=["name"], set_={"value": row.excluded.value})
    )


def list_check_values(settings: ServiceSettings, name: str) -> list[str]:
    """Return the check value of the present secret, then those of its published public keys."""
    secret = getattr(settings, name)
    published = settings.kept_secrets[name]
    if published is None:
        key, text = secret.get_secret_value().encode(), _CONSTANT.format(name=name)
        return [hmac.digest(key, text.encode(), "sha256").hex()]
    present = read_private_key(name, secret).public_key()
    others = read_public_keys(published, getattr(settings, published))
    return [compute_key_id(key) for key in (present, *others)]


@retry_during_outage
async def _compare_check_values(
    settings: ServiceSettings, values: Mapping[str, Sequence[str]]
) -> None:
    async with open_database(settings) as sessions, sessions.begin() as session:
        # Processes that start at once insert in one order, and all compare with the same rows.
        rows = [{"name": name, "value": values[name][0]} for name in sorted(values)]
        await session.execute(insert(SecretCheck).on_conflict_do_nothing(), rows)
        stored = {row.name: row.value for row in await session.scalars(select(SecretCheck))}
        if changed := [name for name in sorted(values) if stored[name] not in values[name]]:
            raise SecretsChangedError(changed)
        for name, (present, *_) in values.items():
            if stored[name] != present:
                await session.execute(
                    update(SecretCheck).where(SecretCheck.name == name).values(value=present)
                )
