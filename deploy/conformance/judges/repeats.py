"""Judge waits, pauses and refusals."""

from collections.abc import Collection, Iterator

from deploy.conformance.catalogue import FaultKind, group_problem_types
from deploy.conformance.judges.examination import Examination, Fault
from deploy.conformance.trace import Call, Trace

# The clock of the client may count from the arrival of the answer.
_TOLERANCE_S = 0.05
# The guide asks for a second, then two.
_MIN_PAUSE_S = 0.5
# Doubled twice, with a random part of up to the first pause, the third is at least twice as long.
_MIN_PAUSES, _GROWTH = 3, 1.5


def _list_refused(trace: Trace, reactions: Collection[str]) -> tuple[Call, ...]:
    return tuple(
        call
        for call in trace.list_struck(FaultKind.REFUSE)
        if group_problem_types().get(call.problem or "") in reactions
    )


def judge_retry_after(trace: Trace) -> Examination:
    refused = _list_refused(trace, {"wait", "hold"})
    return Examination(refused, tuple(_list_wait_faults(trace, refused)))


def _list_wait_faults(trace: Trace, refused: tuple[Call, ...]) -> Iterator[Fault]:
    for call in refused:
        repeats = trace.list_repeats(call)
        if repeats and _measure_pause(call, repeats[0]) < (call.retry_after or 0) - _TOLERANCE_S:
            yield Fault("too-early", (call, repeats[0]))
        elif not repeats and group_problem_types()[call.problem or ""] == "wait":
            yield Fault("not-repeated", (call,))


def _measure_pause(call: Call, repeat: Call) -> float:
    return repeat.began - (call.ended if call.ended is not None else repeat.began)


def judge_growing_pauses(trace: Trace) -> Examination:
    struck = (*trace.list_struck(FaultKind.TIME_OUT), *_list_refused(trace, {"repeat"}))
    faults = [*_list_short_pauses(trace, struck), *_list_even_pauses(trace, struck)]
    return Examination(struck, tuple(faults))


def _list_short_pauses(trace: Trace, struck: tuple[Call, ...]) -> Iterator[Fault]:
    for call in struck:
        repeats = trace.list_repeats(call)
        if not repeats:
            yield Fault("not-repeated", (call,))
        elif _measure_pause(call, repeats[0]) < _MIN_PAUSE_S:
            yield Fault("too-fast", (call, repeats[0]))


def _list_even_pauses(trace: Trace, struck: tuple[Call, ...]) -> Iterator[Fault]:
    """Compare the last pause of a step with its first: a random part may hide the growth of one."""
    for step in dict.fromkeys(call.step for call in struck):
        of_step = [call for call in struck if call.step == step]
        repeats = [trace.list_repeats(call) for call in of_step]
        if len(of_step) < _MIN_PAUSES or not all(repeats):
            continue
        pauses = [
            _measure_pause(call, repeats_of[0])
            for call, repeats_of in zip(of_step, repeats, strict=True)
        ]
        if min(pauses) >= _MIN_PAUSE_S and pauses[-1] < pauses[0] * _GROWTH:
            yield Fault("not-growing", (*of_step, repeats[-1][0]))


def judge_refusals_are_final(trace: Trace) -> Examination:
    refused = _list_refused(trace, {"mend", "settled"})
    faults = []
    for call in refused:
        repeats = [other for other in trace.list_later(call) if call.is_same_request(other)]
        if repeats:
            faults.append(Fault("repeated", (call, *repeats)))
    return Examination(refused, tuple(faults))


def judge_patience(trace: Trace) -> Examination:
    delayed = trace.list_struck(FaultKind.DELAY)
    left = tuple(Fault("left", (call,)) for call in delayed if call.has_left)
    return Examination(delayed, left)
