"""Define the table of the keys that sign access tokens."""

from datetime import datetime

from sqlalchemy import (
    LargeBinary,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from identity_service.database import Base


class SigningKey(Base):
    """A key is published at once and signs access tokens from `signs_from`."""

    __tablename__ = "signing_key"

    kid: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)  # PKCS #8 in PEM, encrypted by Fernet
    jwk: Mapped[dict[str, str]] = mapped_column(JSONB)
    signs_from: Mapped[datetime]
