"""The purpose of a call, judged by the procedure of the dossier that it files, reads or handles.

The gateway has proved that the purpose is the code of a procedure or of a legal basis. Codes of
procedures are compared by their national part: the desk of a province may name its own form.
"""

from dossier_service.dossiers.problems import PurposeOfAnotherProcedure
from shared.codes.agency import CodeError
from shared.codes.procedure import parse_national_code
from shared.texts.translatable import Translatable
from shared.web.calls.auth import CallContext


def require_filing_purpose(caller: CallContext, procedure: str) -> None:
    """Raise PurposeOfAnotherProcedure unless the purpose of a filing is the procedure filed."""
    if caller.purpose is None or _find_national_code(caller.purpose) != parse_national_code(
        procedure
    ):
        raise PurposeOfAnotherProcedure(
            Translatable(
                "The purpose of a filing is the procedure filed: send its code as X-Purpose."
            ),
            procedure=procedure,
        )


def require_purpose(caller: CallContext, procedure: str) -> None:
    """Raise PurposeOfAnotherProcedure where the purpose is a procedure, and not the dossier's.

    A legal basis passes. So does a call without a purpose, of which the gateway requires none.
    """
    named = _find_national_code(caller.purpose) if caller.purpose else None
    if named is not None and named != parse_national_code(procedure):
        raise PurposeOfAnotherProcedure(procedure=procedure)


def _find_national_code(purpose: str) -> str | None:
    try:
        return parse_national_code(purpose)
    except CodeError:
        return None
