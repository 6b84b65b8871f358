"""The payments of the fees of a dossier."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.dossiers.models import Dossier, DossierFee
from dossier_service.dossiers.problems import (
    AmountWrong,
    FeePaidBefore,
    FeeUnknown,
    PaymentRefused,
    ReferenceUsed,
)
from dossier_service.dossiers.schemas.requests import PayFee
from dossier_service.dossiers.use_cases.changing import leave_step, read_dossier
from dossier_service.dossiers.use_cases.history import step_of, tell
from shared.events import FeePaid
from shared.rules.statuses import is_final
from shared.web.calls.auth import CallContext
from shared.web.etag import Condition, require_version


async def pay_fee(
    session: AsyncSession,
    code: str,
    wish: PayFee,
    *,
    caller: CallContext,
    expected: Condition,
    now: datetime,
) -> Dossier:
    """Each of the dossier's agencies may take the money; the same payment again has no effect."""
    dossier = await read_dossier(session, code, caller)
    if _is_known(dossier, wish):
        return dossier
    require_version(dossier.version, expected)
    if is_final(dossier.status):
        raise PaymentRefused(current=dossier.status)
    fee = _fee_to_pay(dossier, wish)
    now = dossier.begin_version(now)
    fee.paid_at, fee.method, fee.reference = now, wish.method, wish.reference
    leave_step(session, step_of(dossier, caller, "fee_paid", now, step=fee.code))
    tell(
        session,
        FeePaid,
        dossier,
        now,
        fee=fee.code,
        amount_vnd=fee.amount_vnd,
        online=wish.method == "online",
    )
    return dossier


def _is_known(dossier: Dossier, wish: PayFee) -> bool:
    paid = next((fee for fee in dossier.fees if fee.reference == wish.reference), None)
    if paid is None:
        return False
    if (paid.code, paid.amount_vnd, paid.method) != (wish.fee, wish.amount_vnd, wish.method):
        raise ReferenceUsed(fee=paid.code)
    return True


def _fee_to_pay(dossier: Dossier, wish: PayFee) -> DossierFee:
    fee = next((fee for fee in dossier.fees if fee.code == wish.fee), None)
    if fee is None:
        raise FeeUnknown(known=[fee.code for fee in dossier.fees])
    if fee.paid_at is not None:
        raise FeePaidBefore(fee=fee.code)
    if wish.amount_vnd != fee.amount_vnd:
        raise AmountWrong(fee=fee.code, amount_vnd=fee.amount_vnd)
    return fee
