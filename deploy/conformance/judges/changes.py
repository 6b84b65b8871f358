"""Judge keys and preconditions of changes."""

from collections.abc import Iterator

from deploy.conformance.catalogue import FaultKind, group_problem_types
from deploy.conformance.judges.examination import Examination, Fault
from deploy.conformance.trace import Call, Trace
from gateway.operations.table import OPERATIONS

READ_DOSSIER = "GET /dossier/v1/dossiers/{code}"
# After these nobody but the server can say whether the call took effect.
_DOUBTFUL = frozenset({FaultKind.LOSE, FaultKind.TIME_OUT})


def _is_change(call: Call) -> bool:
    operation = OPERATIONS.get(call.operation or "")
    return operation is not None and operation.takes_effect and not call.is_token_request


def _is_dossier_change(call: Call) -> bool:
    return _is_change(call) and (call.operation or "").startswith(
        "POST /dossier/v1/dossiers/{code}"
    )


def judge_idempotency_key(trace: Trace) -> Examination:
    changes = tuple(filter(_is_change, trace.calls))
    missing = [Fault("missing", (call,)) for call in changes if call.key is None]
    return Examination(changes, tuple(missing))


def judge_same_key_for_a_repeat(trace: Trace) -> Examination:
    struck = tuple(call for call in filter(_is_change, trace.calls) if _is_to_be_repeated(call))
    return Examination(struck, tuple(_list_repeat_faults(trace, struck)))


def _is_to_be_repeated(call: Call) -> bool:
    if _DOUBTFUL & set(call.faults):
        return True
    return FaultKind.REFUSE in call.faults and _react(call) in {"wait", "repeat"}


def _react(call: Call) -> str | None:
    return group_problem_types().get(call.problem or "")


def _list_repeat_faults(trace: Trace, struck: tuple[Call, ...]) -> Iterator[Fault]:
    for call in struck:
        repeats = trace.list_repeats(call)
        if not repeats:
            yield Fault("not-repeated", (call,))
        elif not call.is_same_request(repeats[0]):
            yield Fault("other-body", (call, repeats[0]))
        elif repeats[0].key != call.key:
            yield Fault("other-key", (call, repeats[0]))


def judge_new_key_for_a_new_act(trace: Trace) -> Examination:
    """A key belongs to one request, and to no further one after its success was delivered.

    Repeats of disturbed calls are judged by other rules.
    """
    keyed = tuple(call for call in trace.calls if call.key is not None)
    first: dict[str | None, Call] = {}
    finished: dict[str | None, Call] = {}
    faults = []
    for call in keyed:
        before = first.setdefault(call.key, call)
        is_other_act = not before.is_same_request(call) and not before.is_disturbed
        if is_other_act or call.key in finished:
            faults.append(Fault("used-before", (finished.get(call.key, before), call)))
        if call.is_delivered and not call.faults:
            finished[call.key] = call
    return Examination(keyed, tuple(faults))


def judge_if_match(trace: Trace) -> Examination:
    changes = tuple(filter(_is_dossier_change, trace.calls))
    faults = []
    for call in changes:
        if call.if_match is None:
            faults.append(Fault("missing", (call,)))
        elif call.if_match not in _list_known_tags(trace, call):
            faults.append(Fault("not-read", (call,)))
    return Examination(changes, tuple(faults))


def _list_known_tags(trace: Trace, change: Call) -> set[str]:
    """Return the tag that was read last; that of a first attempt is good for its repeats too."""
    tags: set[str] = set()
    for call in trace.calls:
        if change.dossier is None or change.dossier not in {call.dossier, call.made}:
            continue
        if (
            call.ended is not None
            and call.ended <= change.began
            and call.is_delivered
            and call.etag
        ):
            tags = {call.etag}
    attempts = [call for call in trace.calls if call.key and call.key == change.key]
    if attempts and attempts[0] is not change and attempts[0].if_match:
        tags.add(attempts[0].if_match)
    return tags


def judge_read_again(trace: Trace) -> Examination:
    struck = tuple(
        call
        for call in filter(_is_dossier_change, trace.list_struck(FaultKind.REFUSE))
        if _react(call) == "read_again"
    )
    faults = []
    for call in struck:
        later = [other for other in trace.list_later(call) if other.dossier == call.dossier]
        reads = [other for other in later if other.operation == READ_DOSSIER and other.is_delivered]
        changes = [other for other in later if _is_dossier_change(other)]
        if not reads or (changes and changes[0].number < reads[0].number):
            faults.append(Fault("not-read-again", (call, *changes[:1])))
        faults += [
            Fault("same-key", (call, change)) for change in changes if change.key == call.key
        ]
    return Examination(struck, tuple(faults))
