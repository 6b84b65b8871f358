from typing import Annotated

from fastapi import Query

from shared.codes.time import day_in_viet_nam
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Now, Session
from shared.web.pagination import PageParametersQuery
from sync_service.indicators import use_cases
from sync_service.indicators.schemas import IndicatorAnswer, IndicatorFilter, IndicatorOut

router = Router(prefix="/sync/v1/indicators", tags=["indicators"])


@router.get("")
async def list_indicators(_: Caller, now: Now) -> list[IndicatorOut]:
    """List the indicators.

    Return the indicators that can be read today, each with its formula and the version of its rule.
    """
    return use_cases.list_indicators(day_in_viet_nam(now))


@router.get("/{indicator}")
async def read_indicator(
    *,
    indicator: str,
    session: Session,
    caller: Caller,
    filters: Annotated[IndicatorFilter, Query()],
    page: PageParametersQuery,
    now: Now,
) -> IndicatorAnswer:
    """Read the figures of an indicator.

    Return the figures of the dossiers received in the `period`: `2026-11`, `2026-Q4`, `2026` or two
    days. With `group_by` the groups are ranked, the highest value first, and paged. The right must
    cover the agency and the procedure of the question (403 `not-allowed`, `right-too-narrow`).
    """
    return await use_cases.read_indicator(
        session, indicator, filters, page, right=caller.right, today=day_in_viet_nam(now)
    )
