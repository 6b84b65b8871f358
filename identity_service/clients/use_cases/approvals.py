"""Acts that need two operators who ask for the same, or the client's own signature."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients import repository as client_store
from identity_service.clients.models import Client, Proposal
from identity_service.clients.problems import OperatorsOnly
from identity_service.clients.use_cases.client_proofs import ClientAct, require_proof
from identity_service.clients.use_cases.operators import is_operator
from shared.web.calls.auth import CallContext


class OperatorAct(StrEnum):
    """Acts that two operators do, and no client signs."""

    REVOKE_GRANT = "revoke-grant"
    REPLACE_AGENCIES = "replace"
    REOPEN_AGENCY = "reopen"


PROPOSAL_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True)
class Consent:
    """Carry what may stand for the client's consent; `audiences` are the names of this server."""

    caller: CallContext
    proof: str | None
    audiences: Sequence[str]
    now: datetime


async def require_authority(
    session: AsyncSession,
    consent: Consent,
    client: Client,
    *,
    act: ClientAct,
    thumbprint: str | None = None,
) -> None:
    """Raise ProofRefused or OperatorsOnly unless the client signed, or an operator calls."""
    if consent.proof is not None:
        await require_proof(
            session,
            client,
            consent.proof,
            act=act,
            thumbprint=thumbprint,
            audiences=consent.audiences,
        )
    elif not await is_operator(session, consent.caller):
        raise OperatorsOnly(
            "Sign it with a key of the client, in X-Client-Proof, or ask two operators."
        )


async def find_missing_approval(
    session: AsyncSession,
    consent: Consent,
    target: str,
    *,
    act: ClientAct | OperatorAct,
    about: str = "",
) -> Proposal | None:
    """Return the proposal that waits for a second operator, None where the act may happen now.

    The caller has passed `require_authority` or is an operator, and holds `lock_client_acts`.
    """
    proposal = await client_store.find_proposal(session, (target, act, about))
    if proposal is not None and not await _is_open(session, proposal, consent.now):
        await session.delete(proposal)
        await session.flush()
        proposal = None
    if consent.proof is not None or (
        proposal is not None and proposal.proposed_by != consent.caller.client
    ):
        if proposal is not None:
            await session.delete(proposal)
        return None
    return proposal or _propose(session, consent, target, act, about)


async def _is_open(session: AsyncSession, proposal: Proposal, now: datetime) -> bool:
    """Return whether it has not ended, and is still an active operator's."""
    in_time = proposal.expires_at > now
    return in_time and await client_store.is_active_operator(session, proposal.proposed_by)


def _propose(
    session: AsyncSession,
    consent: Consent,
    target: str,
    act: ClientAct | OperatorAct,
    about: str,
) -> Proposal:
    proposal = Proposal(
        target=target,
        act=act.value,
        about=about,
        proposed_by=consent.caller.client,
        proposed_at=consent.now,
        expires_at=consent.now + PROPOSAL_LIFETIME,
    )
    session.add(proposal)
    return proposal
