"""Rank groups by their figures, one page and the total of all groups in one statement."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    Numeric,
    Select,
    String,
    all_,
    bindparam,
    func,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.indicators.figure import Figure
from sync_service.indicators.formulas import Formula
from sync_service.indicators.ranking import KEY, WITHOUT_FIGURE, RankedGroup, Ranking, RankPosition


async def read_ranking(
    session: AsyncSession,
    groups: Select[*tuple[Any, ...]],
    formula: Formula,
    *,
    nested: Collection[str],
    after: RankPosition | None,
    limit: int,
) -> Ranking:
    """Return a page of the ranked groups and the figure of all of them.

    `groups` selects a key and the sums that the formula names. Groups in `nested` are part of
    other groups: they are ranked too, but the total does not count them a second time.
    """
    counted = groups.cte("counted")
    names = [column.name for column in counted.c if column.name != KEY]
    query = _select_page(counted, formula, nested=nested, after=after, limit=limit)
    rows = (await session.execute(query)).all()

    def compute_figure(sums: Sequence[int]) -> Figure:
        return formula.figure(dict(zip(names, sums, strict=True)))

    group_count, *sums = rows[0][: len(names) + 1]
    ranked_groups = []
    for height, key, rank, *counts in (row[len(names) + 1 :] for row in rows):
        # An empty page is one row that has the total alone.
        if key is not None:
            has_rank = height != WITHOUT_FIGURE
            ranked_groups.append(
                RankedGroup(
                    rank if has_rank else None, RankPosition(height, key), compute_figure(counts)
                )
            )
    return Ranking(compute_figure(sums), group_count, ranked_groups)


def _select_page(
    counted: CTE,
    formula: Formula,
    *,
    nested: Collection[str],
    after: RankPosition | None,
    limit: int,
) -> Select[*tuple[Any, ...]]:
    """Select the number of groups and the sums of all, then height, key, rank, sums of a group."""
    key, sums = counted.c[KEY], {column.name: column for column in counted.c if column.name != KEY}
    height = func.coalesce(-formula.value(sums).cast(Numeric), WITHOUT_FIGURE).label("height")
    rank = func.rank().over(order_by=height).label("rank")
    ranked = select(height, key, rank, *sums.values()).subquery("ranked")
    order = ranked.c.height, ranked.c[KEY]
    page = select(ranked).order_by(*order).limit(limit)
    if after is not None:
        page = page.where(tuple_(*order) > tuple_(*after))
    of_page = page.subquery("page")
    is_outermost = key != all_(bindparam(None, sorted(nested), type_=ARRAY(String)))
    whole = select(
        func.count().label("groups"),
        *(
            func.coalesce(func.sum(column).filter(is_outermost), 0).cast(BigInteger)
            for column in sums.values()
        ),
    ).select_from(counted)
    of_whole = whole.subquery("whole")
    both = select(of_whole, of_page).select_from(of_whole.outerjoin(of_page, true()))
    return both.order_by(of_page.c.height, of_page.c[KEY])
