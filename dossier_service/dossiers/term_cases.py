"""The case of a procedure that an officer names, where its terms differ by case."""

from dossier_service.catalogue.procedure import Procedure
from dossier_service.dossiers.problems import TermCaseUnknown
from shared.codes.enums import Channel


def require_term_case(procedure: Procedure, channel: Channel, case_code: str | None) -> None:
    """Raise TermCaseUnknown, with all cases of the channel, unless it has the named one."""
    if case_code is None:
        return
    cases = procedure.list_term_cases(channel)
    if case_code not in cases:
        known = [{"case_code": code, "case": case} for code, case in cases.items()]
        raise TermCaseUnknown(known=known)


def choose_term_case(
    named: str | None,
    filed: str | None,
    channel: Channel,
    *,
    filed_under: Procedure,
    in_force: Procedure,
) -> str | None:
    """Return the case named at reception, or the one of the filing if it is still the same case."""
    if named is not None:
        require_term_case(in_force, channel, named)
        return named
    if filed is None:
        return None
    # A dossier that was moved to another code of its procedure may name a case that it lacks there.
    before = filed_under.list_term_cases(channel).get(filed)
    present = in_force.list_term_cases(channel).get(filed)
    return filed if present is not None and present == before else None
