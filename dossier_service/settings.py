from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import SecretStr

from shared.settings import CallKey, ServiceSettings


class Settings(ServiceSettings):
    kept_secrets: ClassVar[Mapping[str, str | None]] = MappingProxyType(
        {**ServiceSettings.kept_secrets, "person_hash_key": None}
    )

    name: str = "dossier_service"
    port: int = 8102
    worker_port: int = 8202
    call_key: CallKey
    # the key of the hash that names an applicant in place of the personal number
    person_hash_key: SecretStr
    # the layout of new dossier codes; an agency with an old code (QCVN 102) keeps the old layout
    dossier_code_layout: Literal["short", "long"] = "short"
    # a file of published procedures for the first start; empty: the own procedures alone
    catalogue_file: str = ""

    @property
    def published_procedures(self) -> Path | None:
        return Path(self.catalogue_file) if self.catalogue_file else None
