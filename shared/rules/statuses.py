"""The permitted transitions of dossiers, from statuses.yaml."""

from functools import cache
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator

from shared.codes.enums import Channel, DossierStatus

Statuses = frozenset[DossierStatus]


class Onward(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    to: Statuses
    after: dict[DossierStatus, Statuses] = {}
    received: Statuses = frozenset()
    with_reason: Statuses = frozenset()

    @property
    def every(self) -> Statuses:
        return self.to.union(self.received, *self.after.values())


class StatusTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: PositiveInt
    first: dict[Channel, DossierStatus]
    transitions: dict[DossierStatus, Onward]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if missing := set(Channel) - self.first.keys():
            raise ValueError(f"channels without a first status: {sorted(missing)}")
        if missing_rows := set(DossierStatus) - self.transitions.keys():
            raise ValueError(f"statuses without a row: {sorted(missing_rows)}")
        return self

    @model_validator(mode="after")
    def _rows_can_be_walked(self) -> Self:
        for status, onward in self.transitions.items():
            if status in onward.every:
                raise ValueError(f"{status}: a repeated status is progress, not a transition")
            if strangers := onward.with_reason - onward.every:
                raise ValueError(f"{status}: a reason for what is not permitted: {strangers}")
            for before in onward.after:
                if status not in self.transitions[before].every:
                    raise ValueError(f"{status} never comes after {before}")
        return self


@cache
def read_status_table() -> StatusTable:
    text = (Path(__file__).with_name("data") / "statuses.yaml").read_text(encoding="utf-8")
    return StatusTable.model_validate(yaml.safe_load(text))


def first_status(channel: Channel) -> DossierStatus:
    """Return the first status of a dossier of this channel."""
    return read_status_table().first[channel]


def permitted_statuses(
    current: DossierStatus, *, before: DossierStatus | None, is_received: bool = True
) -> Statuses:
    """Return the statuses that may follow `current`; the same status again is progress.

    `before` is the status before `current`, to which a dossier returns from 6, and from 5 before
    reception. None means that it is unknown, as for a dossier of another system, so every return
    is permitted. A dossier that was not received cannot be resumed after a stop.
    """
    onward = read_status_table().transitions[current]
    returns = onward.after.values() if before is None else [onward.after.get(before, frozenset())]
    return onward.to.union(onward.received if is_received else (), *returns)


def needs_reason(current: DossierStatus, to: DossierStatus) -> bool:
    return to in read_status_table().transitions[current].with_reason


def is_final(status: DossierStatus) -> bool:
    return not read_status_table().transitions[status].every
