from datetime import datetime

from identity_service.persons.guesses.limiter import GuessLimiter
from identity_service.persons.matching import IDENTIFYING, Claim, ClaimField, compare_claim
from identity_service.persons.problems import FieldsNotAllowed, PurposeNotCovered
from identity_service.persons.result import VerificationResult
from identity_service.persons.schemas import VerificationOut
from identity_service.persons.sources import Finding, Inquiry, Source
from shared.codes.time import day_in_viet_nam
from shared.web.birth_dates import require_born
from shared.web.calls.auth import CallContext


def list_claimed_fields(claim: Claim) -> tuple[str, ...]:
    return tuple(name for name in Claim.__slots__ if getattr(claim, name) is not None)


async def verify_claim(
    source: Source, guesses: GuessLimiter, caller: CallContext, inquiry: Inquiry, *, now: datetime
) -> VerificationOut:
    """Compare the claim with the source's record of the number.

    A claim that does not prove knowledge of the person uses the caller's budget. Once the budget is
    spent, the response names no fields.
    """
    require_born(inquiry.claim.birth_date, today=day_in_viet_nam(now), at="body.birth_date")
    _require_covered(caller, list_claimed_fields(inquiry.claim))
    async with guesses.open_attempt(
        caller, person=inquiry.person, number=inquiry.personal_number, now=now
    ) as attempt:
        finding = await source.look_up(inquiry)
        response, is_hit = _judge_claim(inquiry.claim, finding)
        if response.result is VerificationResult.SOURCE_UNAVAILABLE:
            return response
        if is_hit:
            attempt.count_hit()
            return response
        if await attempt.count_miss():
            return response
        return VerificationOut(result=response.result, as_of=response.as_of)


def _judge_claim(claim: Claim, finding: Finding) -> tuple[VerificationOut, bool]:
    """Return the response, and whether it is a hit: it proves knowledge and no field differs."""
    if finding.recorded is None:
        assert finding.reported is not None
        return VerificationOut(
            result=_hide_record_state(finding.reported), as_of=finding.as_of
        ), False
    compared = compare_claim(claim, finding.recorded)
    if not compared.knows_person:
        # Naming sex or residence would help to guess them; the status is not for such callers.
        differing, not_comparable = map(
            _keep_identifying, (compared.differing, compared.not_comparable)
        )
        result = VerificationResult.MISMATCH if differing else VerificationResult.AMBIGUOUS
        unknown = VerificationOut(
            result=result,
            differing=differing,
            without_diacritics=compared.without_diacritics,
            at_coarser_precision=compared.at_coarser_precision,
            not_comparable=not_comparable,
            as_of=finding.as_of,
        )
        return unknown, False
    if finding.reported in _RESULTS_WITHOUT_FIELDS:
        return VerificationOut(result=finding.reported, as_of=finding.as_of), True
    response = VerificationOut(
        result=VerificationResult.MISMATCH
        if compared.differing
        else finding.reported or VerificationResult.MATCH,
        differing=compared.differing,
        without_diacritics=compared.without_diacritics,
        at_coarser_precision=compared.at_coarser_precision,
        not_comparable=compared.not_comparable,
        as_of=finding.as_of,
    )
    return response, compared.same_person


# A record in such a state is disputed or not in this register: no field is compared.
_RESULTS_WITHOUT_FIELDS = frozenset(
    {
        VerificationResult.LOCKED,
        VerificationResult.AMBIGUOUS,
        VerificationResult.NOT_YET_REPLICATED,
        VerificationResult.SOURCE_UNAVAILABLE,
    }
)


def _hide_record_state(reported: VerificationResult) -> VerificationResult:
    """Return AMBIGUOUS in place of each state that would confirm a record without proof."""
    unproven = reported in (
        VerificationResult.LOCKED,
        VerificationResult.DECEASED,
        VerificationResult.MATCH,
        VerificationResult.MISMATCH,
    )
    return VerificationResult.AMBIGUOUS if unproven else reported


def _keep_identifying(fields: tuple[ClaimField, ...]) -> tuple[ClaimField, ...]:
    return tuple([field for field in fields if field in IDENTIFYING])


def _require_covered(caller: CallContext, fields: tuple[str, ...]) -> None:
    purpose = caller.purpose or ""
    reaching = [limits for limits in caller.right.alternatives if limits.covers_procedure(purpose)]
    if not reaching:
        raise PurposeNotCovered
    if not any(limits.covers_fields(fields) for limits in reaching):
        raise FieldsNotAllowed(set(fields).difference(reaching[0].fields or ()))
