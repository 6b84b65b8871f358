"""Read the own procedures of the catalogue: each is a file of `data`."""

from functools import cache
from pathlib import Path

import yaml

from dossier_service.catalogue.procedure import Procedure

OWN_FOLDER = Path(__file__).with_name("data")


def read_procedure_file(path: Path) -> Procedure:
    return Procedure.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@cache
def read_own_procedures() -> dict[str, Procedure]:
    """Return the procedures of `data` by code; adding a file adds the procedure."""
    entries = [read_procedure_file(path) for path in sorted(OWN_FOLDER.glob("*.yaml"))]
    procedures = {procedure.code: procedure for procedure in entries}
    if len(procedures) != len(entries):
        raise ValueError("two files of the catalogue hold the same procedure code")
    return procedures
