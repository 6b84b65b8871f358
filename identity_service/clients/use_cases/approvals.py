"""Approve acts that need the same request from two operators, or the client's own signature."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.agencies.use_cases import AgencyAct, PendingAct
from identity_service.clients import repository
from identity_service.clients.models import Client, Proposal
from identity_service.clients.problems import OperatorsOnly
from identity_service.clients.use_cases.client_proofs import ClientAct, require_proof
from identity_service.clients.use_cases.operators import (
    is_operator,
    lock_client_acts,
    require_operator,
)
from shared.texts.translatable import Translatable
from shared.web.calls.auth import CallContext

PROPOSAL_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True)
class Consent:
    """Hold the caller and the client's proof; `audiences` are the names of this server."""

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
            now=consent.now,
        )
    elif not await is_operator(session, consent.caller):
        raise OperatorsOnly(
            Translatable(
                "Sign it with a key of the client, in X-Client-Proof, or ask two operators."
            )
        )


async def find_missing_approval(
    session: AsyncSession, consent: Consent, target: str, *, act: str, about: str = ""
) -> PendingAct | None:
    """Return the proposal that waits for a second operator, None where the act may happen now.

    The caller has passed `require_authority` or is an operator, and holds `lock_client_acts`.
    """
    proposal = await repository.find_proposal(session, (target, act, about))
    if proposal is not None and not await _is_open_proposal(session, proposal, consent.now):
        await session.delete(proposal)
        await session.flush()
        proposal = None
    if consent.proof is not None or (
        proposal is not None and proposal.proposed_by != consent.caller.client
    ):
        if proposal is not None:
            await session.delete(proposal)
        return None
    return _describe_proposal(proposal or _add_proposal(session, consent, target, act, about))


async def _is_open_proposal(session: AsyncSession, proposal: Proposal, now: datetime) -> bool:
    """Return whether the proposal has not expired and its operator is still active."""
    in_time = proposal.expires_at > now
    return in_time and await repository.is_active_operator(session, proposal.proposed_by)


def _add_proposal(
    session: AsyncSession, consent: Consent, target: str, act: str, about: str
) -> Proposal:
    proposal = Proposal(
        target=target,
        act=str(act),
        about=about,
        proposed_by=consent.caller.client,
        proposed_at=consent.now,
        expires_at=consent.now + PROPOSAL_LIFETIME,
    )
    session.add(proposal)
    return proposal


def _describe_proposal(proposal: Proposal) -> PendingAct:
    return PendingAct(
        proposal.target,
        proposal.act,
        proposal.proposed_by,
        proposal.proposed_at,
        proposal.expires_at,
    )


class StoredApprovals:
    """Implement `OperatorApprovals` of the feature `agencies` on the table of proposals."""

    async def lock_acts(self, session: AsyncSession) -> None:
        await lock_client_acts(session)

    async def require_operator(self, session: AsyncSession, caller: CallContext) -> None:
        await require_operator(session, caller)

    async def find_missing_approval(
        self,
        session: AsyncSession,
        caller: CallContext,
        code: str,
        *,
        act: AgencyAct,
        now: datetime,
        about: str = "",
    ) -> PendingAct | None:
        consent = Consent(caller, None, (), now)
        return await find_missing_approval(session, consent, code, act=act, about=about)
