"""The faults that the kit scripts: answers in its own name, lost, late and altered answers."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode

from deploy.conformance.catalogue import FaultKind, FaultPlan
from deploy.conformance.messages import Answer, Request
from gateway.api_docs.problem_types import ProblemType, read_problem_types

Forward = Callable[[Request], Awaitable[Answer | None]]
SHORT_PAGE_ITEMS = 2
# Names of members and of a header that no version of the mesh will use.
UNKNOWN_MEMBER = "x-conformance-unknown"
_UNKNOWN_VALUE: Mapping[str, Any] = {"since": "conformance", "values": [1, None, "✓"]}
_TAKEN = frozenset(["accepted", "updated", "duplicate"])
_WAITING = frozenset([HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE])


@dataclass(frozen=True, slots=True)
class Timing:
    """The seconds that scripted answers name and take."""

    retry_after_s: int = 3
    late_s: float = 10.5


def build_fault(plan: FaultPlan, timing: Timing, forward: Forward) -> Forward:
    """Return `forward` disturbed as planned; it returns None where the connection is to break."""
    disturb: Mapping[FaultKind, Forward] = {
        FaultKind.REFUSE: partial(_refuse, plan, timing),
        FaultKind.TIME_OUT: partial(_time_out, plan, timing, forward),
        FaultKind.LOSE: partial(_lose, forward),
        FaultKind.DELAY: partial(_delay, timing, forward),
        FaultKind.ADD_MEMBERS: partial(_add_members, forward),
        FaultKind.SHORTEN_PAGE: partial(_shorten_page, forward),
        FaultKind.REFUSE_ROW: partial(_refuse_row, forward),
    }
    return disturb[plan.kind]


async def _refuse(plan: FaultPlan, timing: Timing, _: Request) -> Answer:
    problem_type = read_problem_types()[str(plan.problem)]
    body = {
        "type": problem_type.type,
        "title": problem_type.title,
        "status": problem_type.status,
        "detail": " ".join(problem_type.advice) or problem_type.title,
        "trace_id": secrets.token_hex(16),
    }
    lines = {"content-type": "application/problem+json", "cache-control": "no-store"}
    lines |= {"x-request-id": f"conformance-{secrets.token_hex(8)}"}
    lines |= _list_headers(problem_type, timing)
    raw = tuple((name.encode(), value.encode()) for name, value in lines.items())
    return Answer(problem_type.status, raw, json.dumps(body).encode())


def _list_headers(problem_type: ProblemType, timing: Timing) -> Mapping[str, str]:
    if problem_type.status in _WAITING:
        return {"retry-after": str(timing.retry_after_s)}
    if problem_type.status == HTTPStatus.UNAUTHORIZED:
        return {"www-authenticate": 'Bearer error="invalid_token"'}
    if problem_type.status == HTTPStatus.METHOD_NOT_ALLOWED:
        return {"allow": "GET"}
    return {}


async def _time_out(plan: FaultPlan, timing: Timing, forward: Forward, request: Request) -> Answer:
    await forward(request)
    return await _refuse(plan, timing, request)


async def _lose(forward: Forward, request: Request) -> None:
    await forward(request)


async def _delay(timing: Timing, forward: Forward, request: Request) -> Answer | None:
    answer = await forward(request)
    await asyncio.sleep(timing.late_s)
    return answer


async def _add_members(forward: Forward, request: Request) -> Answer | None:
    answer = await forward(request)
    if answer is None or not answer.read_object():
        return answer
    altered = answer.with_object(_add_unknown(answer.read_object()))
    line = (UNKNOWN_MEMBER.encode(), b"1")
    return replace(altered, lines=(*altered.lines, line))


def _add_unknown(content: Any) -> Any:
    """Return the JSON with one more member in each of its objects."""
    if isinstance(content, dict):
        members = {name: _add_unknown(value) for name, value in content.items()}
        return {**members, UNKNOWN_MEMBER: _UNKNOWN_VALUE}
    if isinstance(content, list):
        return [_add_unknown(value) for value in content]
    return content


async def _shorten_page(forward: Forward, request: Request) -> Answer | None:
    query = [
        pair for pair in parse_qsl(request.query, keep_blank_values=True) if pair[0] != "limit"
    ]
    shortened = urlencode([*query, ("limit", SHORT_PAGE_ITEMS)])
    return await forward(replace(request, query=shortened))


async def _refuse_row(forward: Forward, request: Request) -> Answer | None:
    """Refuse the last row that the sandbox took, in its place."""
    answer = await forward(request)
    content = answer.read_object() if answer else {}
    taken = [row for row in content.get("results", []) if row.get("outcome") in _TAKEN]
    if answer is None or not taken:
        return answer
    refusal = {
        "outcome": "refused",
        "reason": "invalid_row",
        "detail": "A scripted refusal: correct filed_at of this row, then push it again.",
    }
    taken[-1].update(refusal)
    return answer.with_object(content)
