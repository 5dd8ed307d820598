"""Events: what desks say. Fields are named as in the NDJSON of `dunghen record`."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import date, datetime, timezone
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from dunghen.v1 import event_pb2 as pb

#: A datetime with its offset, or RFC 3339 text.
Instant = datetime | str
#: A date, or YYYY-MM-DD.
Day = date | str


def new_event_id() -> str:
    """A UUID of version 7: sorted by time, unlike any other."""
    milliseconds = time.time_ns() // 1_000_000 & (1 << 48) - 1
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


@dataclass(frozen=True, kw_only=True)
class Event:
    """What every event has. The id is made with the object: sending the same object again is harmless."""

    dossier: str
    occurred_at: Instant
    event_id: str = field(default_factory=new_event_id)
    desk: str | None = None
    actor: str | None = None

    @property
    def type(self) -> str:
        """The name of the event's type, as in JSON."""
        return type(self).__name__


@dataclass(frozen=True, kw_only=True)
class Received(Event):
    """The dossier was accepted. At most one of `due` (an instant) and `due_date`; without one, the rules give the due."""

    unit: str
    procedure: str | None = None
    field: str | None = None
    channel: str | None = None
    due: Instant | None = None
    due_date: Day | None = None
    #: citizen, enterprise, agency or other
    applicant_kind: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rejected(Event):
    """Acceptance was refused. The unit is needed if nothing was recorded of the dossier before."""

    unit: str | None = None
    reason_code: str | None = None


@dataclass(frozen=True, kw_only=True)
class Forwarded(Event):
    """Handed to another unit."""

    to_unit: str
    step_due: Instant | None = None
    step_due_date: Day | None = None


@dataclass(frozen=True, kw_only=True)
class SupplementRequested(Event):
    """Papers were asked for; the clock stops."""

    items: tuple[str, ...] = ()
    reason_code: str | None = None


@dataclass(frozen=True, kw_only=True)
class Supplemented(Event):
    """The papers came. Without a due, the rules give it, or else it moves by the time waited."""

    due: Instant | None = None
    due_date: Day | None = None


@dataclass(frozen=True, kw_only=True)
class PaymentRequested(Event):
    """A payment was asked for."""

    stops_clock: bool = False


@dataclass(frozen=True, kw_only=True)
class Paid(Event):
    """It was paid."""

    due: Instant | None = None
    due_date: Day | None = None


@dataclass(frozen=True, kw_only=True)
class Processed(Event):
    """Processing ended."""

    #: granted (also if not said) or refused
    outcome: str | None = None


@dataclass(frozen=True, kw_only=True)
class Late(Event):
    """A promise passed. The engine writes it, and refuses it from anyone else."""

    promise: int = 0
    due: Instant | None = None
    due_date: Day | None = None


@dataclass(frozen=True, kw_only=True)
class ApologySent(Event):
    """A letter of apology was sent."""

    letter_number: str | None = None
    reason_code: str | None = None
    signer: str | None = None
    sent_via: str | None = None
    new_due: Instant | None = None
    new_due_date: Day | None = None


@dataclass(frozen=True, kw_only=True)
class Returned(Event):
    """The applicant has the result."""

    returned_via: str | None = None


@dataclass(frozen=True, kw_only=True)
class Withdrawn(Event):
    """The applicant withdrew."""

    reason_code: str | None = None


@dataclass(frozen=True, kw_only=True)
class Stopped(Event):
    """The agency stopped."""

    reason_code: str


@dataclass(frozen=True, kw_only=True)
class Corrected(Event):
    """An earlier event of the dossier is annulled, or another stands in its place: `annul` or `replacement`."""

    target_event_id: str
    reason_code: str
    annul: bool = False
    #: The event as it should have been: of the same type and whole. Its event_id is that of the correction, and so is its
    #: dossier if it is empty.
    replacement: Event | None = None

    def __post_init__(self) -> None:
        said = self.replacement
        if said is not None:
            # As the log has it: so what is replayed equals what was said.
            told = replace(said, event_id=self.event_id, dossier=said.dossier or self.dossier)
            object.__setattr__(self, "replacement", told)


TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        Received,
        Rejected,
        Forwarded,
        SupplementRequested,
        Supplemented,
        PaymentRequested,
        Paid,
        Processed,
        Late,
        ApologySent,
        Returned,
        Withdrawn,
        Stopped,
        Corrected,
    )
}
#: What the engine adds to a record; a replayed line may carry it.
_ENGINE_FIELDS = frozenset(
    (
        "position",
        "recorded_at",
        "dossier_version",
        "author",
        "flags",
        "reckoned_due",
        "reckoned_due_date",
        "clock_stops",
    )
)
_COMMON = frozenset(f.name for f in fields(Event))


def event_from(said: Event | Mapping[str, Any]) -> Event:
    """An event of a mapping with the names of the NDJSON; an event is returned as it is.

    Raises ValueError for what the schema has no place for; everything else is judged by the server.
    """
    if isinstance(said, Event):
        return said
    values = {k: v for k, v in said.items() if v is not None and k not in _ENGINE_FIELDS}
    name = values.pop("type", None)
    kind = TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"type: {name!r} is none of {', '.join(TYPES)}")
    unknown = values.keys() - {f.name for f in fields(kind)}
    if unknown:
        raise ValueError(f"{name} has no field {', '.join(sorted(unknown))}")
    if "replacement" in values:
        values["replacement"] = _replacement(values["replacement"])
    # What is missing is refused by the server, with a text for clerks.
    needed = (f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)
    return kind(**{**dict.fromkeys(needed, ""), **values})


def _replacement(said: Any) -> Event:
    if not isinstance(said, (Event, Mapping)):
        raise ValueError(f"replacement: {said!r} is no event")
    try:
        return event_from(said)
    except ValueError as e:
        raise ValueError(f"replacement: {e}") from e


def timestamp(value: Instant, name: str) -> Timestamp:
    """An instant as the schemas have it; it has to say its offset."""
    stamp = Timestamp()
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name}: {value.isoformat()} has no time zone")
        stamp.FromDatetime(value)
        return stamp
    try:
        stamp.FromJsonString(value)
    except (ValueError, TypeError, AttributeError) as e:
        raise ValueError(f"{name}: {value!r} is no RFC 3339 time with its offset") from e
    return stamp


def day(value: Day, name: str) -> str:
    """A date as the schemas have it. Text is left to the server to judge."""
    if isinstance(value, datetime):
        raise ValueError(f"{name}: a date is needed, not an instant")
    return value.isoformat() if isinstance(value, date) else value


def to_wire(event: Event) -> pb.Event:
    """The event as the schemas have it."""
    wire = pb.Event(event_id=event.event_id, dossier=event.dossier, desk=event.desk or "", actor=event.actor or "")
    if event.occurred_at:
        wire.occurred_at.CopyFrom(timestamp(event.occurred_at, "occurred_at"))
    own = getattr(wire, _snake(event.type))
    own.SetInParent()
    dues = [
        f.name for f in fields(event) if f.name.endswith(("due", "due_date")) and getattr(event, f.name) is not None
    ]
    if len(dues) > 1:
        raise ValueError(f"give {dues[0]} or {dues[1]}, not both")
    if isinstance(event, Corrected) and event.annul and event.replacement is not None:
        raise ValueError("give annul or replacement, not both")
    for f in fields(event):
        value = getattr(event, f.name)
        # To say no is to say nothing.
        if f.name in _COMMON or value is None or value is False:
            continue
        name = f.name
        kind = own.DESCRIPTOR.fields_by_name[name]
        if isinstance(value, Event):
            getattr(own, name).CopyFrom(to_wire(value))
        elif kind.message_type is not None:
            getattr(own, name).CopyFrom(timestamp(value, name))
        elif kind.enum_type is not None:
            setattr(own, name, _enum_number(kind.enum_type, value, name))
        elif isinstance(value, (list, tuple)):
            getattr(own, name).extend(value)
        elif name.endswith("_date"):
            setattr(own, name, day(value, name))
        else:
            setattr(own, name, value)
    return wire


def from_wire(wire: pb.Event) -> Event:
    """An event of the log. Instants are UTC; what was not said is None."""
    which = wire.WhichOneof("type")
    kind = _BY_WIRE.get(which)
    if kind is None:
        raise ValueError("the server is newer than this client: it knows a type of event that the client does not")
    own = getattr(wire, which)
    values: dict[str, Any] = {
        "event_id": wire.event_id,
        "dossier": wire.dossier,
        "occurred_at": instant(wire.occurred_at),
        "desk": wire.desk or None,
        "actor": wire.actor or None,
    }
    for f in fields(kind):
        if f.name in _COMMON:
            continue
        name = f.name
        descriptor = own.DESCRIPTOR.fields_by_name[name]
        value = getattr(own, name)
        if descriptor.message_type is pb.Event.DESCRIPTOR:
            values[f.name] = from_wire(value) if own.HasField(name) else None
        elif descriptor.message_type is not None:
            values[f.name] = instant(value) if own.HasField(name) else None
        elif descriptor.enum_type is not None:
            values[f.name] = _enum_word(descriptor.enum_type, value)
        elif name.endswith("_date"):
            values[f.name] = date.fromisoformat(value) if value else None
        elif name == "items":
            values[f.name] = tuple(value)
        else:
            values[f.name] = None if value == "" else value
    return kind(**values)


def instant(stamp: Timestamp) -> datetime:
    """An instant of the schemas, as UTC."""
    at: datetime = stamp.ToDatetime(tzinfo=timezone.utc)
    return at


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


_BY_WIRE = {_snake(name): kind for name, kind in TYPES.items()}


def _prefix(enum: Any) -> str:
    return _snake(enum.name).upper() + "_"


def _enum_number(enum: Any, word: str, name: str) -> int:
    value = enum.values_by_name.get(_prefix(enum) + str(word).upper())
    if value is None or value.number == 0:
        words = ", ".join(v.name.removeprefix(_prefix(enum)).lower() for v in enum.values if v.number != 0)
        raise ValueError(f"{name}: {word!r} is none of {words}")
    return int(value.number)


def _enum_word(enum: Any, number: int) -> str | None:
    value = enum.values_by_number.get(number)
    return None if value is None or number == 0 else value.name.removeprefix(_prefix(enum)).lower()
