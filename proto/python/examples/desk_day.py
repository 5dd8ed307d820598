#!/usr/bin/env python3
"""A day of a desk: dossiers come in, papers are asked for, results go out; in the evening somebody asks for the rates.

python desk_day.py [SERVER]        (default 127.0.0.1:7070)
"""

from __future__ import annotations

import random
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import dunghen

HANOI = timezone(timedelta(hours=7))
NOW = datetime.now(HANOI).replace(microsecond=0)
MORNING = NOW - timedelta(hours=8)
TODAY = NOW.date()
#: Unit, procedure, field: the codes of the desk. Its dues are its own: the server has no rules for these procedures.
COUNTERS = [("H44.22", "9.002600", "my-pham"), ("H44.22", "9.004616", "duoc"), ("H44.31", "9.000815", "chung-thuc")]
#: Codes of their own for each run, so that it can be run again.
RUN = secrets.token_hex(3)
chance = random.Random(5157)


def code(number: int) -> str:
    return f"H44.22-{NOW:%y%m%d}-{RUN}-{number:04}"


def said(number: int, at: datetime) -> dict[str, Any]:
    return {"dossier": code(number), "occurred_at": at, "desk": "quay-3"}


def reception(number: int, at: datetime, days: int) -> dunghen.Received:
    unit, procedure, field = chance.choice(COUNTERS)
    return dunghen.Received(
        **said(number, at),
        unit=unit,
        procedure=procedure,
        field=field,
        channel=chance.choice(["online", "online", "direct", "postal"]),
        due_date=at.date() + timedelta(days=days),
        applicant_kind=chance.choice(["citizen", "citizen", "enterprise"]),
    )


def earlier_days() -> Iterator[dunghen.Event]:
    """What lies on the desk in the morning: 30 dossiers of the last days, due yesterday, today or later."""
    for number in range(30):
        days_ago = chance.randint(3, 9)
        yield reception(number, MORNING - timedelta(days=days_ago), days=days_ago + chance.choice([-1, 0, 0, 1, 3]))
    # Two letters of apology went out while their promises still stood.
    for number in (4, 11):
        yield dunghen.ApologySent(
            **said(number, MORNING - timedelta(days=3)),
            letter_number=f"{number}/XL",
            reason_code="workload",
            sent_via="sms",
            new_due_date=TODAY + timedelta(days=2),
        )


def today() -> Iterator[dunghen.Event]:
    """The day: 12 new dossiers, and what is done with those on the desk."""
    clock = MORNING
    for number in range(30, 42):
        clock += timedelta(minutes=chance.randint(2, 9))
        yield reception(number, clock, days=chance.choice([0, 3, 5, 10]))
    for number in range(20):
        clock += timedelta(minutes=chance.randint(2, 9))
        yield dunghen.Processed(**said(number, clock), outcome="refused" if number == 7 else None)
        if number % 3 != 0:
            yield dunghen.Returned(**said(number, clock + timedelta(minutes=1)), returned_via="desk")
    yield dunghen.SupplementRequested(**said(21, clock), items=("giay-phep",), reason_code="incomplete")
    yield dunghen.Withdrawn(**said(22, clock), reason_code="applicant")
    # A slip of the pen: nobody received this one.
    yield dunghen.Processed(**said(999, clock))


def percent(rate: float | None) -> str:
    return "n/a" if rate is None else f"{100 * rate:.1f}%"


def main() -> int:
    with dunghen.Client(*sys.argv[1:2]) as client:
        # History goes in as a whole or not at all.
        results = client.record_batch(list(earlier_days()), atomic=True, imported=True)
        wrong = [r for r in results if isinstance(r, dunghen.Refused)]
        if wrong:
            raise wrong[0]
        print(f"on the desk in the morning: {len(results)} events of earlier days")

        # The day itself, event by event as they happen.
        recorded: list[dunghen.Receipt] = []
        for result in client.record_stream(today()):
            if isinstance(result, dunghen.Refused):
                print(f"refused: {result.reason}\n  {result.message('vi')}\n  {result.message('en')}")
            else:
                recorded.append(result)
        flags = Counter(flag for receipt in recorded for flag in receipt.flags)
        print(f"today: {len(recorded)} events recorded, flags {dict(flags) or 'none'}")

        # The line broke before the receipt was read? The same event once more does no harm.
        forgotten = dunghen.Returned(**said(0, NOW), returned_via="post")
        first, again = client.record(forgotten), client.record(forgotten)
        print(f"sent twice: position {first.position}, then {again.position} (duplicate: {again.duplicate})")

        # Number 7 was granted after all. The slip stays on record, and another event stands in its place.
        slip = next(r.event for r in client.dossier(code(7)).history if isinstance(r.event, dunghen.Processed))
        mended = client.record(
            dunghen.Corrected(
                **said(7, NOW),
                target_event_id=slip.event_id,
                reason_code="slip",
                replacement=replace(slip, outcome="granted"),
            )
        )
        print(f"corrected: position {mended.position}, version {mended.dossier_version} of {code(7)}")

        # Later than everything that was just recorded, whoever answers.
        rates = client.rates(
            "resolved", by=["unit", "field"], from_=MORNING, to=NOW, unit="H44", min_position=mended.position + 1
        )
        print(f"\n{'unit':<8} {'field':<12} {'resolved':>8} {'on time':>8} {'late':>5} {'rate':>7} {'open':>5}")
        for key, row in [*((g.key, g.figures) for g in rates.groups), ({"unit": "all"}, rates.total)]:
            print(
                f"{key['unit'] or '-':<8} {key.get('field') or '':<12} {row.resolved:>8} {row.on_time:>8} "
                f"{row.late:>5} {percent(row.on_time_rate):>7} {row.open:>5}"
            )
        owed = Counter(o.obligation.state for o in client.obligations(unit="H44"))
        print(f"\napologies owed: {dict(owed) or 'none'}")
        foreseen = next(client.obligations("forecast", unit="H44"), None)
        if foreseen is not None and foreseen.left_working_ms is not None:
            print(f"the next letter: {foreseen.dossier}, {foreseen.left_working_ms / 3_600_000:.1f} working hours left")

        # Form II.06a of the day: its row of totals.
        form = client.form("unit", from_=TODAY, to=TODAY + timedelta(days=1), unit="H44").total
        print(
            f"II.06a: {form.total_received} in hand, {form.resolved} resolved, {form.in_progress} in progress, "
            f"{form.withdrawn} withdrawn"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
