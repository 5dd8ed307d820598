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
    #: Until the letter's deadline; None if that has passed, a letter is there, or there is no calendar.
    left_working_ms: int | None
    #: Why, as the letter says.
    reason_code: str | None
    #: Whether that reason is published as objective (khách quan); None if it is not published.
    objective: bool | None


@dataclass(frozen=True)
class Record:
    """An event with what the engine added to it."""

    position: int
    recorded_at: datetime
    dossier_version: int
    author: str | None
    flags: tuple[str, ...]
    event: Event
    #: The due that the rules in force gave: its instant or its date. It counts where the desk gave none.
    reckoned_due: datetime | None
    reckoned_due_date: date | None
    #: By the rules in force, the payment that is asked for stops the clock.
    clock_stops: bool


@dataclass(frozen=True)
class Rule:
    """One version of one rule."""

    #: calendar, unit, procedure, apology, reason, definition, target, report_period or tiers
    kind: str
    code: str
    #: 1, 2, … among the recorded versions; 0 if it is built in.
    version: int
    effective_from: date
    #: As it stands in a file of rules (TOML).
    text: str


@dataclass(frozen=True)
class RuleRecord:
    """A rule that was published, where a replay finds it in the log."""

    position: int
    recorded_at: datetime
    author: str | None
    rule: Rule


@dataclass(frozen=True)
class PublishedRule:
    """What became of a rule of a file."""

    kind: str
    code: str
    #: 0 of one that is built in.
    version: int
    #: Of its record; None if it is built in, or was not recorded.
    position: int | None
    #: Whether it was there before, in the same words.
    duplicate: bool


@dataclass(frozen=True)
class RuleVersion:
    """A version of a rule, published or built in."""

    rule: Rule
    built_in: bool
    #: Of its record; None if it is built in.
    position: int | None
    recorded_at: datetime | None
    name_vi: str | None
    name_en: str | None


@dataclass(frozen=True)
class ExplainedRule:
    """A rule that a dossier follows."""

    #: calendar, procedure or apology
    kind: str
    #: None if none is in force, and so is the version.
    code: str | None
    version: int | None
    text_vi: str
    text_en: str


@dataclass(frozen=True)
class ExplainedDay:
    """A day of a term."""

    #: Of the procedure: 1, 2, …
    phase: int
    date: date
    #: begins, after_cut_off, counted, months, hours, off or ends
    what: str
    counted_vi: str
    counted_en: str
    text_vi: str
    text_en: str


@dataclass(frozen=True)
class ExplainedWait:
    """A wait for the applicant."""

    from_: datetime
    to: datetime | None
    #: lasts, ended, given, resumed, restarted, shifted, missed or no_promise
    effect: str
    #: The newest promise before it and after it.
    before: datetime | None
    before_date: date | None
    after: datetime | None
    after_date: date | None
    days: int
    #: None without a calendar, or while it lasts.
    working_days: int | None
    text_vi: str
    text_en: str


@dataclass(frozen=True)
class ExplainedLetter:
    """A letter of apology."""

    sent_at: datetime
    letter_number: str | None
    #: in_time, late, defective or answers_nothing
    effect: str
    #: The newest promise when it was sent; 0 if there was none.
    promise: int
    #: Until when a letter for that promise is in time.
    deadline: datetime | None
    #: Whether that promise was missed.
    missed: bool
    new_due: datetime | None
    new_due_date: date | None
    #: Whether the new due became a promise.
    gave_promise: bool
    text_vi: str
    text_en: str


@dataclass(frozen=True)
class Explanation:
    """Why a dossier is due when it is."""

    #: In force at its reception.
    rules: tuple[ExplainedRule, ...]
    text_vi: str
    text_en: str
    #: By the desk, at the reception.
    given_due: datetime | None
    given_due_date: date | None
    #: By the rules, at the reception.
    reckoned_due: datetime | None
    reckoned_due_date: date | None
    days: tuple[ExplainedDay, ...]
    waits: tuple[ExplainedWait, ...]
    letters: tuple[ExplainedLetter, ...]


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
    #: If it was asked for, and the dossier was received by then.
    explanation: Explanation | None


@dataclass(frozen=True)
class FormFigures:
    """A row of form II.06a, with its columns. total_received = resolved + in_progress + withdrawn."""

    #: (3) online + direct + carried_over
    total_received: int
    #: (4)
    online: int
    #: (5)
    direct: int
    #: (6)
    carried_over: int
    #: (7) early + on_due + overdue + resolved_no_deadline
    resolved: int
    #: (8)
    early: int
    #: (9)
    on_due: int
    #: (10)
    overdue: int
    #: Beyond the form.
    resolved_no_deadline: int
    #: (11) within_due + in_progress_overdue + in_progress_no_deadline
    in_progress: int
    #: (12)
    within_due: int
    #: (13)
    in_progress_overdue: int
    #: Beyond the form.
    in_progress_no_deadline: int
    #: Beyond the form.
    withdrawn: int


@dataclass(frozen=True)
class FormRow:
    """The figures of one field or unit: `key["field"]`, None where the dossiers have no value."""

    key: Mapping[str, str | None]
    figures: FormFigures


@dataclass(frozen=True)
class Form:
    """Official form II.06a of a period."""

    from_: datetime
    to: datetime
    as_of: datetime
    time_zone: str
    #: The number of records that the answer has folded.
    position: int
    total: FormFigures
    rows: tuple[FormRow, ...]


@dataclass(frozen=True)
class TargetOutlook:
    """What may still come of a target in a year that is not over."""

    decided: int
    #: Of them late; of apologies: late or missing.
    late: int
    #: Sure to be late, and not in the rate yet.
    open_late: int
    #: Sure to be on time, and not in the rate yet.
    settled: int
    #: Open, and due by the year's end.
    open_due: int
    #: Of apologies: forecasts.
    foreseen: int
    #: How many of open_due + foreseen may fail at most so that the target is met; None if it is out of reach.
    may_fail: int | None
    text_vi: str
    text_en: str


@dataclass(frozen=True)
class TargetYear:
    """How a target stands in one year of its validity."""

    code: str
    version: int
    source: str | None
    clause: str | None
    metric: str
    #: >, >= or =
    comparator: str
    #: In ten-thousandths: 9900 is 99 %.
    threshold: int
    #: The definition of the rate, or whatever else the measure is a share of.
    denominator: str
    #: With those below; None is every one.
    unit: str | None
    note: str | None
    year: int
    first_date: date
    last_date: date
    from_: datetime
    to: datetime
    cut: datetime
    over: bool
    #: What reached the target, of so many.
    part: int
    whole: int
    rate: float | None
    #: met, not_met, not_applicable, no_data or not_yet
    verdict: str
    #: Of no_data: metric or denominator.
    no_data: str | None
    no_data_text_vi: str | None
    no_data_text_en: str | None
    outlook: TargetOutlook | None
    #: The number of records that are in this year.
    position: int


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
        pairs = [value] if isinstance(value, Message) else value
        return {pair.name: pair.value if pair.HasField("value") else None for pair in pairs}
    if is_dataclass(hint):
        return read(hint, value)  # type: ignore[arg-type]
    return value
