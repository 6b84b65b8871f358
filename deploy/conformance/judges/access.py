"""Judge tokens, purposes, addresses and the form of requests."""

from itertools import pairwise

from deploy.conformance.catalogue import FaultKind
from deploy.conformance.judges.examination import Examination, Fault
from deploy.conformance.trace import Call, Trace
from gateway.operations.table import OPERATIONS

# A token that is older than this share of its life may be replaced.
_OLD_SHARE = 0.5
_UNAUTHENTICATED = 401
_PURPOSE_PROBLEMS = frozenset(
    ["purpose-missing", "purpose-unknown", "purpose-not-covered", "purpose-of-another-procedure"]
)
_FORM_STATUSES = frozenset([400, 405, 406, 411, 413, 414, 415, 417, 431])
_FORM_PROBLEMS = frozenset(["invalid-request"])
# Other rules judge these.
_JUDGED_ELSEWHERE = _PURPOSE_PROBLEMS | {"cursor-unreadable"}


def judge_token_reuse(trace: Trace) -> Examination:
    """A step may begin with a new token, as a new process does; a later one needs a reason."""
    faults: list[Fault] = []
    examined: list[Call] = []
    for _, calls in trace.iterate_steps():
        if sum(not call.is_token_request for call in calls) > 1:
            examined += calls
        requests = [call for call in calls if call.is_token_request and call.is_delivered]
        for before, request in pairwise(requests):
            if not _has_reason(calls, before, request):
                faults.append(Fault("fetched-anew", (before, request)))
    return Examination(tuple(examined), tuple(faults))


def _has_reason(calls: tuple[Call, ...], before: Call, request: Call) -> bool:
    refused = any(
        call.status == _UNAUTHENTICATED and before.number < call.number < request.number
        for call in calls
    )
    age = request.began - before.began
    return refused or (before.lifetime is not None and age >= before.lifetime * _OLD_SHARE)


def judge_token_renewal(trace: Trace) -> Examination:
    examined = [
        call
        for call in trace.list_struck(FaultKind.REFUSE)
        if call.problem == "unauthenticated" and not _is_repeat(trace, call)
    ]
    faults = [fault for call in examined for fault in _list_renewal_faults(trace, call)]
    return Examination(tuple(examined), tuple(faults))


def _is_repeat(trace: Trace, call: Call) -> bool:
    return any(call in trace.list_repeats(other) for other in trace.calls if other is not call)


def _list_renewal_faults(trace: Trace, call: Call) -> list[Fault]:
    repeats = trace.list_repeats(call)
    if not repeats:
        return [Fault("not-repeated", (call,))]
    faults = []
    if repeats[0].token == call.token:
        faults.append(Fault("not-renewed", (call, repeats[0])))
    if repeats[0].status == _UNAUTHENTICATED and repeats[1:]:
        faults.append(Fault("repeated-again", (call, *repeats)))
    return faults


def judge_no_numbers_in_addresses(trace: Trace) -> Examination:
    found = [Fault("number-sent", (call,)) for call in trace.calls if call.holds_number]
    return Examination(trace.calls, tuple(found))


def judge_purpose_and_officer(trace: Trace) -> Examination:
    personal = [call for call in trace.acts if call.operation and _is_personal(call.operation)]
    unnamed = [
        Fault("not-named", (call,))
        for call in personal
        if not (call.has_purpose and call.has_officer)
    ]
    refused = [
        Fault("not-valid", (call,))
        for call in personal
        if call.problem in _PURPOSE_PROBLEMS and not call.is_disturbed
        if call.has_purpose and call.has_officer
    ]
    return Examination(tuple(personal), (*unnamed, *refused))


def _is_personal(operation: str) -> bool:
    return OPERATIONS[operation].personal


def judge_form_of_requests(trace: Trace) -> Examination:
    undisturbed = tuple(call for call in trace.acts if not call.is_disturbed)
    refused = [Fault("refused", (call,)) for call in undisturbed if _has_wrong_form(call)]
    return Examination(undisturbed, tuple(refused))


def _has_wrong_form(call: Call) -> bool:
    if call.operation is None or call.problem in _FORM_PROBLEMS:
        return True
    return call.status in _FORM_STATUSES and call.problem not in _JUDGED_ELSEWHERE
