"""An own entry and a published entry of one procedure, made into one."""

from dataclasses import dataclass

from dossier_service.catalogue.portal_import.faults import TextFault
from dossier_service.catalogue.procedure import Procedure

# The own entry states these, or leaves them to the published one.
_TAKEN_IF_ABSENT = {
    "decision": (),
    "subjects": (TextFault.SUBJECTS_MENDED,),
    "competent": (),
    "cooperating": (),
    "kind": (),
    "papers": (),
    "results": (TextFault.RESULTS_CUT,),
    "conditions_text": (TextFault.CONDITIONS_CUT,),
    "source": (),
}
_COMPARED = ("name", "owner", "levels", "sector", "result_codes", "requires_result", "fees")


@dataclass(frozen=True, slots=True)
class MergedProcedure:
    """The entry, the parts `added` to the own one, and the published parts that it `overrules`."""

    procedure: Procedure
    added: tuple[str, ...]
    overrules: tuple[str, ...]


def merge_procedures(own_entry: Procedure, published: Procedure) -> MergedProcedure:
    """Return the own entry with every published part that it lacks.

    The own entry wins for each part and each channel that it states: people read it.
    """
    lacking = [
        entry for entry in published.channels if not own_entry.accepts_channel(entry.channel)
    ]
    channels = {entry.channel for entry in lacking}
    absent = [
        name
        for name in _TAKEN_IF_ABSENT
        if not getattr(own_entry, name) and getattr(published, name)
    ]
    changes = {name: getattr(published, name) for name in absent}
    if channels:
        fees = [fee for fee in published.fees if fee.channel in channels]
        changes |= {"channels": (*own_entry.channels, *lacking), "fees": (*own_entry.fees, *fees)}
    flagged = {fault for name in absent for fault in _TAKEN_IF_ABSENT[name]}
    flagged |= {TextFault.CHANNEL_TEXT_CUT} if channels else set()
    changes["faults"] = tuple(fault for fault in published.faults if fault in flagged)
    merged = Procedure.model_validate(dict(own_entry) | changes)
    differing = [
        name
        for name in (*_COMPARED, *_TAKEN_IF_ABSENT)
        if name not in absent and getattr(published, name) not in (getattr(merged, name), (), "")
    ]
    differing += [
        f"term of channel {channel.value}"
        for channel in sorted({entry.channel for entry in own_entry.channels})
        if published.accepts_channel(channel) and published.term(channel) != own_entry.term(channel)
    ]
    added = [*(f"channel {channel.value}" for channel in sorted(channels)), *absent]
    return MergedProcedure(merged, tuple(added), tuple(differing))
