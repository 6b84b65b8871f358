"""Pay the fees of a dossier."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue.cache import ProcedureCache
from dossier_service.catalogue.procedure import Procedure
from dossier_service.dossiers.models import Dossier, DossierFee
from dossier_service.dossiers.payment_methods import IS_ONLINE
from dossier_service.dossiers.problems import (
    AmountWrong,
    FeePaidBefore,
    FeeUnknown,
    PaymentRefused,
    ReferenceUsed,
)
from dossier_service.dossiers.schemas.requests import PayFee
from dossier_service.dossiers.use_cases.changing import (
    read_dossier,
    read_kept_procedure,
    record_step,
)
from dossier_service.dossiers.use_cases.history import history_entry, publish_change
from shared.events import FeePaid
from shared.rules.statuses import is_final
from shared.web.calls.auth import CallContext
from shared.web.etag import Precondition, require_version


async def pay_fee(
    session: AsyncSession,
    code: str,
    payment: PayFee,
    *,
    caller: CallContext,
    expected_version: Precondition,
    procedures: ProcedureCache,
    now: datetime,
) -> tuple[Dossier, Procedure]:
    """Record the payment of a fee at any agency of the dossier; a repeated one has no effect."""
    dossier = await read_dossier(session, code, caller)
    procedure = await read_kept_procedure(session, procedures, dossier)
    if _is_repeated_payment(dossier, payment):
        return dossier, procedure
    require_version(dossier.version, expected_version)
    if is_final(dossier.status):
        raise PaymentRefused(current=dossier.status)
    fee = _require_payable_fee(dossier, payment)
    now = dossier.begin_version(now)
    fee.paid_at, fee.method, fee.reference = now, payment.method, payment.reference
    record_step(session, history_entry(dossier, caller, "fee_paid", now, step=fee.code))
    publish_change(
        session,
        FeePaid,
        dossier,
        now,
        fee=fee.code,
        amount_vnd=fee.amount_vnd,
        online=IS_ONLINE[payment.method],
    )
    return dossier, procedure


def _is_repeated_payment(dossier: Dossier, payment: PayFee) -> bool:
    paid = next((fee for fee in dossier.fees if fee.reference == payment.reference), None)
    if paid is None:
        return False
    if (paid.code, paid.amount_vnd, paid.method) != (
        payment.fee,
        payment.amount_vnd,
        payment.method,
    ):
        raise ReferenceUsed(fee=paid.code)
    return True


def _require_payable_fee(dossier: Dossier, payment: PayFee) -> DossierFee:
    fee = next((fee for fee in dossier.fees if fee.code == payment.fee), None)
    if fee is None:
        raise FeeUnknown(known=[fee.code for fee in dossier.fees])
    if fee.paid_at is not None:
        raise FeePaidBefore(fee=fee.code)
    if payment.amount_vnd != fee.amount_vnd:
        raise AmountWrong(fee=fee.code, amount_vnd=fee.amount_vnd)
    return fee
