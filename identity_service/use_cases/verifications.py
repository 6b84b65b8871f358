from datetime import date

from identity_service.answers import Answer
from identity_service.matching import Claim, Comparison, compare
from identity_service.problems import FieldsNotAllowed, PurposeNotCovered
from identity_service.schemas import VerificationOut
from identity_service.sources import Inquiry, Source
from shared.auth import CallContext
from shared.birth_dates import require_born


def claimed_fields(claim: Claim) -> tuple[str, ...]:
    return tuple(name for name in Claim.__slots__ if getattr(claim, name) is not None)


async def verify(
    source: Source, caller: CallContext, inquiry: Inquiry, *, today: date
) -> VerificationOut:
    """Compare the claim with the person whom the source has under that number."""
    require_born(inquiry.claim.birth_date, today=today, at="body.birth_date")
    _require_covered(caller, claimed_fields(inquiry.claim))
    found = await source.look_up(inquiry)
    if found.recorded is None:
        assert found.said is not None
        return VerificationOut(result=found.said, as_of=found.as_of)
    compared = compare(inquiry.claim, found.recorded)
    return VerificationOut(
        result=_result(compared, found.said),
        differing=compared.differing,
        without_diacritics=compared.without_diacritics,
        at_coarser_precision=compared.at_coarser_precision,
        not_comparable=compared.not_comparable,
        as_of=found.as_of,
    )


def _result(compared: Comparison, said: Answer | None) -> Answer:
    if compared.differing:
        return Answer.MISMATCH
    # Who does not know the person is not told of a death either.
    return said or Answer.MATCH if compared.same_person else Answer.AMBIGUOUS


def _require_covered(caller: CallContext, fields: tuple[str, ...]) -> None:
    right = caller.right
    if not right.covers_procedure(caller.purpose or ""):
        raise PurposeNotCovered("X-Purpose is one of the procedures that the right names.")
    if right.fields is not None and (beyond := set(fields) - right.fields):
        raise FieldsNotAllowed(beyond)
