"""Read the clients and grants of a sandbox, and write the file of their secrets."""

import json
import os
import secrets
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid5

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from identity_service.grants.grant_rules import FieldName, OperationName
from identity_service.grants.legal_bases import LegalBasisCitation
from identity_service.sandbox.personas import Persona, read_personas
from identity_service.schemas import ClientId, Name
from shared.codes.agency import AgencyCode
from shared.codes.procedure import ProcedureCode

_GRANT_IDS = UUID("6d1f3a0e-52c5-4c55-9d7e-0a3f6f0b9a11")


class _SandboxModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SandboxGrant(_SandboxModel):
    operations: list[OperationName]
    procedures: list[ProcedureCode] | None = None
    fields: list[FieldName] | None = None
    agencies: list[AgencyCode] | None = None
    legal_basis: LegalBasisCitation
    per_second: int | None = None


class SandboxClient(_SandboxModel):
    agency: AgencyCode
    operator: bool = False
    name: Name
    note: str
    grants: tuple[SandboxGrant, ...] = ()


class _Sandbox(_SandboxModel):
    clients: Annotated[dict[ClientId, SandboxClient], Field(min_length=1)]


@cache
def read_sandbox_clients() -> Mapping[str, SandboxClient]:
    text = (Path(__file__).with_name("data") / "sandbox.yaml").read_text(encoding="utf-8")
    return _Sandbox.model_validate(yaml.safe_load(text)).clients


def derive_grant_id(client_id: str, number: int) -> UUID:
    """Return the same id at each seed, so that a repetition finds the existing grants."""
    return uuid5(_GRANT_IDS, f"{client_id}/{number}")


def make_secret() -> str:
    return secrets.token_urlsafe(32)


class _ClientInFile(BaseModel):
    client_id: ClientId
    client_secret: str


class _SandboxFile(BaseModel):
    clients: list[_ClientInFile]


class BrokenSandboxFileError(Exception):
    """The file of the secrets cannot be read; the message says how to mend it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} does not hold the clients of a sandbox: remove it, and the next start writes"
            " it with new secrets."
        )


def read_secrets(path: Path) -> Mapping[str, str]:
    """Return the secrets by client id, empty where there is no file yet.

    Raise BrokenSandboxFileError.
    """
    if not path.exists():
        return {}
    try:
        known = _SandboxFile.model_validate_json(path.read_bytes()).clients
    except ValidationError:
        raise BrokenSandboxFileError(path) from None
    return {client.client_id: client.client_secret for client in known}


def write_sandbox_file(path: Path, secrets_of: Mapping[str, str]) -> None:
    """Write the file in one step, readable by its owner alone."""
    content = {
        "clients": [
            {
                "client_id": client_id,
                "client_secret": secrets_of[client_id],
                "agency": client.agency,
                "note": client.note,
            }
            for client_id, client in read_sandbox_clients().items()
        ],
        "personas": [_describe_persona(name, persona) for name, persona in read_personas().items()],
    }
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
    unfinished.rename(path)


def _describe_persona(name: str, persona: Persona) -> Mapping[str, object]:
    """Return a persona for the file; `request` is a body of POST /identity/v1/verifications."""
    return {
        "name": name,
        "about": persona.about,
        "answer": persona.answer,
        "differing": persona.differing,
        "request": {
            "personal_number": persona.personal_number,
            "full_name": persona.full_name,
            "birth_date": persona.birth_date,
            "sex": persona.sex,
            "residence": {
                "province": persona.residence_province,
                "commune": persona.residence_commune,
            },
        },
    }
