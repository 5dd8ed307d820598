"""What the server answers. Names are those of the schemas; instants are UTC datetimes; what was not said is None."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar, Union

from google.protobuf.message import Message

from dunghen.events import Event, from_wire, instant


@dataclass(frozen=True)
class Receipt:
    """Proof that an event was recorded, now or (`duplicate`) before."""

    event_id: str
    position: int
    recorded_at: datetime
    dossier_version: int
    duplicate: bool
    #: What did not fit, such as RECORDED_LATE.
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """The integers of one row, and the rates made of them (None where there is nothing to count)."""

    received: int
    resolved: int
    withdrawn: int
    returned: int
    cohort: int
    on_time: int
    late: int
    no_deadline: int
    early: int
    on_due: int
    open: int
    open_overdue: int
    open_no_deadline: int
    apology_due: int
    apology_in_time: int
    apology_late: int
    apology_missing: int
    apology_defective: int
    apology_pending: int
    on_time_rate: float | None
    apology_rate: float | None


@dataclass(frozen=True)
class RateGroup:
    """The figures of one group: `key["unit"]`, None where the dossiers have no value."""

    key: Mapping[str, str | None]
    figures: Figures


@dataclass(frozen=True)
class Rates:
    """On-time rates and apology obligations by one definition."""

    definition: str
    from_: datetime | None
    to: datetime | None
    as_of: datetime
    time_zone: str
    #: The number of records that the answer has folded.
    position: int
    total: Figures
    groups: tuple[RateGroup, ...]


@dataclass(frozen=True)
class Verdict:
    """Why a dossier counts as it does."""

    outcome: str
    rule: str
    moment: datetime
    #: Its number; 0 if there is none.
    promise: int
    due: datetime | None
    due_date: date | None
    missed_at: datetime | None
    stopped_at: datetime | None
    text_vi: str
    text_en: str


@dataclass(frozen=True)
class Dossier:
    """A dossier as lists show it."""

    dossier: str
    unit: str | None
    procedure: str | None
    field: str | None
    channel: str | None
    state: str
    waiting: bool
    received_at: datetime | None
    due: datetime | None
    due_date: date | None
    first_due: datetime | None
    first_due_date: date | None
    ended_at: datetime | None
    flags: tuple[str, ...]
    verdict: Verdict | None


@dataclass(frozen=True)
class Promise:
    """One promise as it stands."""

    number: int
    due: datetime
    due_date: date | None
    given_at: datetime
    missed_at: datetime | None
    missed_at_instant: datetime | None
    current: bool
    #: Who held the dossier when it was missed: by date, to the millisecond.
    held_by: str | None
    held_by_instant: str | None


@dataclass(frozen=True)
class SlipStep:
    """A time in which one unit held a dossier: a line of its tracking slip."""

    giver: str | None
    unit: str | None
    from_: datetime
    until: datetime | None
    due: datetime | None
    due_date: date | None
    first_due: datetime | None
    first_due_date: date | None
    #: early, on_due, late, open or no_deadline
    result: str
    #: Working milliseconds and working days; None without a calendar.
    held_ms: int | None
    held_days: int | None
    after_end: bool


@dataclass(frozen=True)
class Obligation:
    """The apology owed, or foreseen, for a promise."""

    promise: int
    missed_at: datetime | None
    deadline: datetime
    decided_at: datetime | None
    #: forecast, pending, in_time, late or missing
    state: str
    defective: bool
    letter_at: datetime | None


@dataclass(frozen=True)
class DossierObligation:
    """An obligation with its dossier."""

    dossier: str
    unit: str | None
    procedure: str | None
    field: str | None
    channel: str | None
    due: datetime | None
    due_date: date | None
    obligation: Obligation
    window_closed: bool


@dataclass(frozen=True)
class Record:
    """An event with what the engine added to it."""

    position: int
    recorded_at: datetime
    dossier_version: int
    author: str | None
    flags: tuple[str, ...]
    event: Event
    #: The due that the rules in force gave; it counts where the desk gave none.
    reckoned_due: datetime | None
    reckoned_due_date: date | None
    #: By the rules in force, the payment that is asked for stops the clock.
    clock_stops: bool


@dataclass(frozen=True)
class Published:
    """A version of a rule, as it was published into the log."""

    position: int
    recorded_at: datetime
    author: str | None
    kind: str
    code: str
    version: int
    effective_from: date
    #: As it stands in a file of rules (TOML).
    text: str


@dataclass(frozen=True)
class DossierDetail:
    """All about one dossier."""

    dossier: Dossier
    promises: tuple[Promise, ...]
    obligations: tuple[Obligation, ...]
    history: tuple[Record, ...]
    position: int
    as_of: datetime
    time_zone: str
    #: Who holds it now, and the due of that step.
    holder: str | None
    step_due: datetime | None
    step_due_date: date | None
    slip: tuple[SlipStep, ...]


@dataclass(frozen=True)
class CaughtUp:
    """All that was recorded before the replay was asked for has been sent."""

    position: int


@dataclass(frozen=True)
class Heartbeat:
    """There was nothing to send for a second."""

    position: int


T = TypeVar("T")


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def read(kind: type[T], message: Message) -> T:
    """Reads a message into the dataclass that has its fields."""
    hints = _hints(kind)  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for f in fields(kind):  # type: ignore[arg-type]
        name = f.name.rstrip("_")
        descriptor = message.DESCRIPTOR.fields_by_name[name]
        hint, optional = _unwrap(hints[f.name])
        # An empty text and a message that is not there both mean "not said".
        absent = not message.HasField(name) if descriptor.has_presence else getattr(message, name) == ""
        values[f.name] = None if optional and absent else _value(hint, getattr(message, name))
    return kind(**values)


def read_logged(record: Message) -> Record | Published:
    """What the log holds at a position: an event or a rule."""
    if not record.HasField("published"):
        return read(Record, record)
    rule = record.published  # type: ignore[attr-defined]
    return Published(
        position=record.position,  # type: ignore[attr-defined]
        recorded_at=instant(record.recorded_at),  # type: ignore[attr-defined]
        author=record.author or None,  # type: ignore[attr-defined]
        kind=rule.kind,
        code=rule.code,
        version=rule.version,
        effective_from=date.fromisoformat(rule.effective_from),
        text=rule.text,
    )


def _unwrap(hint: Any) -> tuple[Any, bool]:
    """The type of a hint, and whether it may be None."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        return next(a for a in typing.get_args(hint) if a is not type(None)), True
    return hint, False


def _value(hint: Any, value: Any) -> Any:
    if hint is datetime:
        return instant(value)
    if hint is date:
        return date.fromisoformat(value)
    if hint is Event:
        return from_wire(value)
    if typing.get_origin(hint) is tuple:
        return tuple(_value(typing.get_args(hint)[0], v) for v in value)
    if typing.get_origin(hint) is Mapping:
        return {pair.name: pair.value if pair.HasField("value") else None for pair in value}
    if is_dataclass(hint):
        return read(hint, value)  # type: ignore[arg-type]
    return value
