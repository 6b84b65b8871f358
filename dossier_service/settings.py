from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from shared.settings import CallKey, ServiceSettings


class Settings(ServiceSettings):
    name: str = "dossier_service"
    port: int = 8102
    worker_port: int = 8202
    call_key: CallKey
    # names an applicant where the personal number must not stand
    person_hash_key: SecretStr
    # how new dossier codes look; an agency with an old (QCVN 102) code keeps the form of that
    dossier_code_layout: Literal["short", "long"] = "short"
    # published procedures to begin with; empty: the own ones alone
    catalogue_file: str = ""

    @property
    def published_procedures(self) -> Path | None:
        return Path(self.catalogue_file) if self.catalogue_file else None
