"""The catalogue of procedures: its own small one, and the reader of published ones."""

from functools import cache
from pathlib import Path

import yaml

from dossier_service.catalogue.procedure import Procedure

OWN_FOLDER = Path(__file__).parent / "data"


def read_procedure(path: Path) -> Procedure:
    return Procedure.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@cache
def own_procedures() -> dict[str, Procedure]:
    """The procedures of this folder by code; adding a file adds the procedure."""
    found = [read_procedure(path) for path in sorted(OWN_FOLDER.glob("*.yaml"))]
    procedures = {procedure.code: procedure for procedure in found}
    if len(procedures) != len(found):
        raise ValueError("two files of the catalogue hold the same procedure code")
    return procedures
