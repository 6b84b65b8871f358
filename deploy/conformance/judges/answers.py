"""Judge how the client reads answers: pages, unknown members, outcomes of rows."""

from collections.abc import Iterator

from deploy.conformance.catalogue import FaultKind
from deploy.conformance.judges.examination import Examination, Fault
from deploy.conformance.trace import Call, Row, Trace

MAX_PUSHES_AT_ONCE = 2
_PUSHES = frozenset(["POST /sync/v1/dossiers", "POST /sync/v1/progress"])


def judge_pages_by_next(trace: Trace) -> Examination:
    """A page is examined where its length alone was changed."""
    shortened = tuple(
        call
        for call in trace.list_struck(FaultKind.SHORTEN_PAGE)
        if len(call.faults) == 1 and call.is_delivered and call.next
    )
    paged = [call for call in trace.acts if call.after is not None]
    faults = [*_list_left_pages(trace, shortened), *_list_wrong_cursors(trace, paged)]
    return Examination(shortened, tuple(faults))


def _list_left_pages(trace: Trace, shortened: tuple[Call, ...]) -> Iterator[Fault]:
    for call in shortened:
        later = trace.list_later(call)
        if any(other.after == call.next for other in later):
            continue
        again = [other for other in later if call.is_same_request(other)]
        # A step may read a list several times, and change its mind about one.
        yield Fault("read-again", (call, *again)) if again else Fault("not-followed", (call,))


def _list_wrong_cursors(trace: Trace, paged: list[Call]) -> Iterator[Fault]:
    for call in paged:
        sources = [other for other in trace.acts if other.next == call.after and other is not call]
        if not sources:
            yield Fault("made-up", (call,))
        elif not any(_have_same_filters(source, call) for source in sources):
            yield Fault("filters-changed", (sources[0], call))


def _have_same_filters(source: Call, call: Call) -> bool:
    return (source.operation, source.query) == (call.operation, call.query)


def judge_unknown_members(trace: Trace) -> Examination:
    altered = trace.list_struck(FaultKind.ADD_MEMBERS)
    faults = []
    for step, calls in trace.iterate_steps():
        of_step = [call for call in calls if FaultKind.ADD_MEMBERS in call.faults]
        if not of_step:
            continue
        requests = {(call.operation, call.dossier, call.body, call.after) for call in calls}
        requests = {request for request in requests if request[0] in _names(of_step)}
        if len(requests) < trace.counts.get(step, 1):
            faults.append(Fault("stopped", (of_step[-1],)))
        faults += _list_repeated_changes(trace, of_step)
    return Examination(altered, tuple(faults))


def _names(calls: list[Call]) -> set[str | None]:
    return {call.operation for call in calls}


def _list_repeated_changes(trace: Trace, altered: list[Call]) -> Iterator[Fault]:
    for call in altered:
        if not (call.operation or "").startswith("POST") or not call.is_delivered:
            continue
        repeats = [other for other in trace.list_later(call) if call.is_same_request(other)]
        if repeats:
            yield Fault("repeated", (call, *repeats))


def judge_row_outcomes(trace: Trace) -> Examination:
    """A row is pushed again only when it was refused, and then corrected."""
    examined = tuple(
        call for call in trace.acts if any(row.outcome == "refused" for row in call.rows)
    )
    faults = []
    for call in examined:
        contents = {row.content: row for row in call.rows}
        for later in trace.list_later(call):
            again = [contents[row.content] for row in later.rows if row.content in contents]
            keys = dict.fromkeys(map(_name_row_fault, again))
            faults += [Fault(key, (call, later)) for key in keys]
    return Examination(examined, tuple(faults))


def _name_row_fault(row: Row) -> str:
    return "taken-row-repeated" if row.is_taken else "refused-row-repeated"


def judge_row_order(trace: Trace) -> Examination:
    pushes = tuple(call for call in trace.acts if call.operation in _PUSHES)
    progress = tuple(call for call in pushes if call.operation == "POST /sync/v1/progress")
    faults = (
        *_list_early_progress(pushes),
        *_list_steps_back(pushes),
        *_list_crowds(pushes),
    )
    return Examination(progress, faults)


def _list_early_progress(pushes: tuple[Call, ...]) -> Iterator[Fault]:
    for call in pushes:
        if any(row.outcome == "held" for row in call.rows):
            yield Fault("progress-first", (call,))


def _list_steps_back(pushes: tuple[Call, ...]) -> Iterator[Fault]:
    """A repeat of rows that were sent before is none; a new row is no older than those before."""
    newest: dict[str, Row] = {}
    sent: set[str] = set()
    for call in pushes:
        for row in call.rows:
            if row.content in sent or row.source_time is None:
                continue
            sent.add(row.content)
            last = newest.get(row.dossier)
            if last and last.source_time and row.source_time < last.source_time:
                yield Fault("backwards", (call,))
            else:
                newest[row.dossier] = row


def _list_crowds(pushes: tuple[Call, ...]) -> Iterator[Fault]:
    for call in pushes:
        under_way = tuple(
            other
            for other in pushes
            if other.began <= call.began and (other.ended is None or other.ended > call.began)
        )
        if len(under_way) > MAX_PUSHES_AT_ONCE:
            yield Fault("too-many-at-once", under_way)
