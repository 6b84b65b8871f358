from fastapi import Response

from identity_service.dependencies import SettingsDep
from identity_service.persons.dependencies import GuessLimiterDep, SourceDep
from identity_service.persons.schemas import VerificationIn, VerificationOut
from identity_service.persons.sources import Inquiry
from identity_service.persons.use_cases import list_claimed_fields, verify_claim
from shared.codes.persons.person_hash import hash_person
from shared.observability.tracing import read_trace_id
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.calls.internal_headers import write_ledger_headers
from shared.web.dependencies import Now
from shared.web.problems import name_subject_on_problems

router = Router(prefix="/identity/v1/verifications", tags=["verifications"])


@router.post("", response_model=VerificationOut)
async def verify_person(
    *,
    body: VerificationIn,
    caller: Caller,
    settings: SettingsDep,
    source: SourceDep,
    guesses: GuessLimiterDep,
    now: Now,
) -> Response:
    """Verify the data of a person.

    Compare a claim with the population register. The answer names the fields that differ and never
    shows a value of the register. Wrong claims have a budget for each officer, client and agency;
    beyond it all claims must wait (429 `guesses-spent`).
    """
    inquiry = Inquiry(
        personal_number=body.personal_number,
        person=hash_person(body.personal_number, settings.hash_key),
        claim=body.claim,
        agency=caller.agency,
        purpose=caller.purpose,
        officer=caller.officer,
        trace_id=read_trace_id(),
    )
    with name_subject_on_problems(inquiry.person):
        answer = await verify_claim(source, guesses, caller, inquiry, now=now)
    headers = write_ledger_headers([inquiry.person], list_claimed_fields(inquiry.claim))
    # Serialized here: validating it by the response model again would double the time.
    return Response(answer.model_dump_json(), media_type="application/json", headers=headers)
