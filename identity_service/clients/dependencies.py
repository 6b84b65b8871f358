from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import WithJsonSchema

from identity_service.clients.signed_claims import MAX_SIGNED_CHARACTERS
from identity_service.clients.use_cases.approvals import Consent
from identity_service.clients.use_cases.client_grants import GivenGrants
from identity_service.dependencies import SettingsDep
from shared.web.calls.auth import Caller
from shared.web.calls.internal_headers import CLIENT_PROOF_HEADER
from shared.web.dependencies import Now

ProofHeader = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_SIGNED_CHARACTERS}),
    Header(
        alias=CLIENT_PROOF_HEADER,
        description="a JWT of the type client-act+jwt, signed by a key of the client; without it, a"
        " second operator must send the same request",
    ),
]


async def _read_consent(
    settings: SettingsDep, caller: Caller, now: Now, x_client_proof: ProofHeader = None
) -> Consent:
    return Consent(caller, x_client_proof, settings.token_audiences, now)


ConsentDep = Annotated[Consent, Depends(_read_consent)]


async def _get_client_grants(request: Request) -> GivenGrants:
    grants: GivenGrants = request.app.state.client_grants
    return grants


ClientGrantsDep = Annotated[GivenGrants, Depends(_get_client_grants)]
