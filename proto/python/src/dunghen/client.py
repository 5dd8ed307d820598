"""The client: one connection, and a method for each thing that can be asked."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Any, Literal

import grpc

from dunghen import answers
from dunghen.errors import Refused, Unavailable, from_refusal, from_rpc
from dunghen.events import Event, day, event_from, instant, timestamp, to_wire
from dunghen.v1 import (
    auditor_pb2,
    auditor_pb2_grpc,
    desk_pb2,
    desk_pb2_grpc,
    event_pb2,
    rules_pb2,
    rules_pb2_grpc,
    supervisor_pb2,
    supervisor_pb2_grpc,
)

#: An event, or a mapping with the names of the NDJSON.
AnyEvent = Event | Mapping[str, Any]
#: A datetime with its offset, a date, or the text of either (RFC 3339, YYYY-MM-DD).
When = datetime | date | str
#: What became of an event of a batch or a stream. A refusal is given back, not raised.
Result = answers.Receipt | Refused

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_OPTIONS = (
    # A page of 10,000 dossiers is larger than gRPC's 4 MiB.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # The server is on this machine; a proxy is not.
    ("grpc.enable_http_proxy", 0),
)


class Client:
    """A connection to a server, `127.0.0.1:7070` or `http://127.0.0.1:7070`; for use by any number of threads.

    `timeout`: seconds for one call; streams have none. `patience`: for how many seconds a call is tried again while
    the server is not there or has too much waiting. An event keeps its id through that, so it is recorded once. `lang`:
    the language in which errors speak if not asked for another, `vi` or `en`; the server is told.
    """

    def __init__(
        self,
        target: str = "127.0.0.1:7070",
        *,
        timeout: float = 10.0,
        patience: float = 30.0,
        lang: Literal["vi", "en"] = "en",
    ) -> None:
        if lang not in ("vi", "en"):
            raise ValueError(f"lang is vi or en, not {lang!r}")
        self._lang = lang
        self._metadata = (("accept-language", lang),)
        self._timeout = timeout
        self._patience = patience
        self._channel = grpc.insecure_channel(target.removeprefix("http://").rstrip("/"), options=_OPTIONS)
        self._desk = desk_pb2_grpc.DeskServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._supervisor = supervisor_pb2_grpc.SupervisorServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._auditor = auditor_pb2_grpc.AuditorServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._rules = rules_pb2_grpc.RulesServiceStub(self._channel)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Desks

    def record(self, event: AnyEvent, *, expected_version: int | None = None) -> answers.Receipt:
        """Records one event, durably.

        Raises Refused, which changed nothing, or Unavailable: then send the same event, with its id, again.
        """
        wire = to_wire(event_from(event))
        request = desk_pb2.RecordRequest(event=wire, expected_version=expected_version)
        response = self._call(self._desk.Record, request, event_id=wire.event_id)
        return answers.read(answers.Receipt, response.receipt)

    def record_batch(self, events: Iterable[AnyEvent], *, atomic: bool, imported: bool = False) -> list[Result]:
        """Records at most 10,000 events in order: all or none (`atomic`), or each on its own.

        There is a result for each event. Of an atomic batch, events that were not refused themselves have the reason
        BATCH_REFUSED. `imported` is for history brought in from elsewhere.
        """
        wires = [to_wire(event_from(event)) for event in events]
        request = desk_pb2.RecordBatchRequest(
            events=[desk_pb2.BatchEvent(event=wire) for wire in wires],
            mode=desk_pb2.BATCH_MODE_ATOMIC if atomic else desk_pb2.BATCH_MODE_EACH,
            imported=imported,
        )
        response = self._call(self._desk.RecordBatch, request)
        return [self._result(result, wire.event_id) for result, wire in zip(response.results, wires, strict=True)]

    def record_stream(self, events: Iterable[AnyEvent]) -> Iterator[Result]:
        """Records events as they come, each on its own, and yields a result for each, in their order.

        A refusal is yielded and the stream goes on. If the connection breaks, Unavailable is raised; send the events
        that have no result, with their ids, again. The iterable is read by a thread of its own.
        """
        sent: deque[str] = deque()
        failed: list[Exception] = []

        def requests() -> Iterator[desk_pb2.RecordStreamRequest]:
            try:
                for event in events:
                    wire = to_wire(event_from(event))
                    sent.append(wire.event_id)
                    yield desk_pb2.RecordStreamRequest(event=wire)
            except Exception as e:  # raised again where the results are read
                failed.append(e)

        for response in self._stream(self._desk.RecordStream, requests()):
            yield self._result(response, sent.popleft())
        if failed:
            raise failed[0]
        if sent:
            texts = {
                "vi": f"luồng kết thúc khi {len(sent)} sự kiện của nó chưa được trả lời",
                "en": f"the stream ended before {len(sent)} of its events were answered",
            }
            raise Unavailable("STREAM_CUT", texts, lang=self._lang)

    # Supervisors

    def rates(
        self,
        definition: str = "resolved",
        *,
        by: Sequence[str] = (),
        from_: When | None = None,
        to: When | None = None,
        as_of: When | None = None,
        unit: str = "",
        procedure: str = "",
        field: str = "",
        channel: str = "",
        time_zone: str = "",
        min_position: int = 0,
        timeout: float | None = None,
    ) -> answers.Rates:
        """On-time rates and apology obligations of the period [`from_`, `to`), as of now if not said.

        `by` names keys: unit, procedure, field, channel, day, month, quarter, year. `min_position` waits until that
        many records are folded (a receipt's position plus one), within the timeout.
        """
        filter_ = _filter(unit, procedure, field, channel)
        question = _rates_question(definition, by, from_, to, as_of, filter_, time_zone, min_position)
        return _rates(self._call(self._supervisor.GetRates, question, timeout=timeout))

    def watch_rates(
        self,
        definition: str = "resolved",
        *,
        by: Sequence[str] = (),
        from_: When | None = None,
        to: When | None = None,
        as_of: When | None = None,
        unit: str = "",
        procedure: str = "",
        field: str = "",
        channel: str = "",
        time_zone: str = "",
        min_position: int = 0,
        max_per_second: int = 0,
    ) -> Iterator[answers.Rates]:
        """The answer of `rates` now, and again whenever it changes. Close the iterator, or break, to end it."""
        filter_ = _filter(unit, procedure, field, channel)
        question = _rates_question(definition, by, from_, to, as_of, filter_, time_zone, min_position)
        request = supervisor_pb2.WatchRatesRequest(question=question, max_per_second=max_per_second)
        for response in self._stream(self._supervisor.WatchRates, request):
            yield _rates(response.answer)

    def form(
        self,
        by: str = "field",
        *,
        from_: When,
        to: When,
        as_of: When | None = None,
        unit: str = "",
        procedure: str = "",
        field: str = "",
        channel: str = "",
        time_zone: str = "",
        min_position: int = 0,
        timeout: float | None = None,
    ) -> answers.Form:
        """Official form II.06a of the period [`from_`, `to`), with a row for each value of `by`: field or unit."""
        request = supervisor_pb2.GetFormRequest(
            by=by,
            **_period(from_, to, as_of),
            filter=_filter(unit, procedure, field, channel),
            time_zone=time_zone,
            min_position=min_position,
        )
        return answers.read(answers.Form, self._call(self._supervisor.GetForm, request, timeout=timeout))

    def targets(
        self,
        code: str = "",
        *,
        year: int = 0,
        unit: str = "",
        as_of: When | None = None,
        min_position: int = 0,
        timeout: float | None = None,
    ) -> list[answers.TargetYear]:
        """The targets in force, or that of a code, judged year by year, or in one `year`: met or not, and how many may
        still fail. `unit`: judged for it and those below instead of each target's own.
        """
        request = supervisor_pb2.ListTargetsRequest(
            code=code, year=year, unit=unit, as_of=_point(as_of, "as_of"), min_position=min_position
        )
        response = self._call(self._supervisor.ListTargets, request, timeout=timeout)
        return [answers.read(answers.TargetYear, target) for target in response.targets]

    def dossiers(
        self,
        state: str = "",
        *,
        definition: str = "",
        outcome: str = "",
        from_: When | None = None,
        to: When | None = None,
        as_of: When | None = None,
        unit: str = "",
        procedure: str = "",
        field: str = "",
        channel: str = "",
        time_zone: str = "",
        due_within_hours: int = 0,
        min_position: int = 0,
    ) -> Iterator[answers.Dossier]:
        """A worklist (`state`: open, waiting, late, due-soon, apology-pending, apology-missing, ended, returned), or
        the dossiers behind a figure (`definition` with `outcome`: on_time, late, no_deadline); those due first first.
        """
        request = supervisor_pb2.ListDossiersRequest(
            state=state,
            definition=definition,
            outcome=outcome,
            **_period(from_, to, as_of),
            filter=_filter(unit, procedure, field, channel),
            time_zone=time_zone,
            due_within_hours=due_within_hours,
            min_position=min_position,
        )
        for page in self._pages(self._supervisor.ListDossiers, request):
            for dossier in page.dossiers:
                yield answers.read(answers.Dossier, dossier)

    def watch_dossiers(
        self,
        state: str = "",
        *,
        definition: str = "",
        outcome: str = "",
        from_: When | None = None,
        to: When | None = None,
        as_of: When | None = None,
        unit: str = "",
        procedure: str = "",
        field: str = "",
        channel: str = "",
        time_zone: str = "",
        due_within_hours: int = 0,
        min_position: int = 0,
        page_size: int = 0,
        max_per_second: int = 0,
    ) -> Iterator[list[answers.Dossier]]:
        """The first `page_size` (1,000 if 0) of `dossiers` now, and again whenever they change. Close the iterator, or
        break, to end it.
        """
        question = supervisor_pb2.ListDossiersRequest(
            state=state,
            definition=definition,
            outcome=outcome,
            **_period(from_, to, as_of),
            filter=_filter(unit, procedure, field, channel),
            time_zone=time_zone,
            due_within_hours=due_within_hours,
            page_size=page_size,
            min_position=min_position,
        )
        request = supervisor_pb2.WatchDossiersRequest(question=question, max_per_second=max_per_second)
        for response in self._stream(self._supervisor.WatchDossiers, request):
            yield [answers.read(answers.Dossier, dossier) for dossier in response.answer.dossiers]

    def dossier(
        self, code: str, *, as_of: When | None = None, explain: bool = False, min_position: int = 0
    ) -> answers.DossierDetail:
        """All about one dossier: promises, obligations, history, tracking slip; with `explain` also why it is due when
        it is. Raises Refused with DOSSIER_UNKNOWN.
        """
        request = supervisor_pb2.GetDossierRequest(
            dossier=code, as_of=_point(as_of, "as_of"), explain=explain, min_position=min_position
        )
        return answers.read(answers.DossierDetail, self._call(self._supervisor.GetDossier, request))

    def obligations(
        self,
        state: str = "",
        *,
        from_: When | None = None,
        to: When | None = None,
        as_of: When | None = None,
        unit: str = "",
        procedure: str = "",
        field: str = "",
        channel: str = "",
        time_zone: str = "",
        min_position: int = 0,
    ) -> Iterator[answers.DossierObligation]:
        """Apologies owed and foreseen (`state`: forecast, pending, in_time, late, missing, defective; any but forecast
        if empty), those with the nearest deadline first. A period holds those that were decided in it.
        """
        request = supervisor_pb2.ListObligationsRequest(
            state=state,
            **_period(from_, to, as_of),
            filter=_filter(unit, procedure, field, channel),
            time_zone=time_zone,
            min_position=min_position,
        )
        for page in self._pages(self._supervisor.ListObligations, request):
            for obligation in page.obligations:
                yield answers.read(answers.DossierObligation, obligation)

    # Auditors

    def replay(
        self,
        from_position: int = 0,
        *,
        to_position: int | None = None,
        dossier: str = "",
        unit: str = "",
        types: Sequence[str] = (),
        follow: bool = False,
        min_position: int = 0,
    ) -> Iterator[answers.Record | answers.RuleRecord | answers.CaughtUp | answers.Heartbeat]:
        """The log in order, up to its head; or on and on (`follow`), with CaughtUp once and Heartbeat when it is quiet.

        Events are Records, rules that were published RuleRecords; who names a dossier, a unit or types of events gets
        no rules. To resume, begin at the last position plus one. Close the iterator, or break, to end it.
        """
        request = auditor_pb2.ReplayRequest(
            from_position=from_position,
            to_position=to_position,
            dossier=dossier,
            unit=unit,
            types=types,
            follow=follow,
            min_position=min_position,
        )
        for response in self._stream(self._auditor.Replay, request):
            which = response.WhichOneof("item")
            if which == "record":
                yield _record(response.record)
            elif which == "caught_up":
                yield answers.CaughtUp(response.caught_up.position)
            elif which == "heartbeat":
                yield answers.Heartbeat(response.heartbeat.position)

    # Whoever answers for the rules

    def publish(
        self, file_text: str, *, dry_run: bool = False, timeout: float | None = None
    ) -> list[answers.PublishedRule]:
        """Publishes the rules of a file (TOML, format = 1), all or none; with `dry_run` only says what would come of it.

        Raises Refused, which names the line and changed nothing, or Unavailable: then publish the same again, for what
        was published last in the same words is a duplicate.
        """
        request = rules_pb2.PublishRequest(file=file_text, dry_run=dry_run)
        response = self._call(self._rules.Publish, request, timeout=timeout)
        return [answers.read(answers.PublishedRule, rule) for rule in response.rules]

    def rules(
        self,
        kind: str = "",
        code: str = "",
        *,
        as_of: When | None = None,
        min_position: int = 0,
        timeout: float | None = None,
    ) -> list[answers.RuleVersion]:
        """Versions of rules, also those that are built in, by kind and code in the order in which they were recorded.

        `kind`: calendar, unit, procedure, apology, reason, definition, target, report_period or tiers. `as_of`: only those
        in force on that day.
        """
        request = rules_pb2.ListRulesRequest(
            kind=kind, code=code, as_of=_point(as_of, "as_of"), min_position=min_position
        )
        response = self._call(self._rules.ListRules, request, timeout=timeout)
        return [answers.read(answers.RuleVersion, version) for version in response.rules]

    # Calls

    def _call(
        self,
        method: Callable[..., Any],
        request: Any,
        *,
        timeout: float | None = None,
        event_id: str | None = None,
    ) -> Any:
        """Asks, and again while the server is not there or has too much waiting."""
        until = time.monotonic() + self._patience
        pause = _FIRST_PAUSE
        while True:
            try:
                wait_for = self._timeout if timeout is None else timeout
                return method(request, timeout=wait_for, metadata=self._metadata)
            except grpc.RpcError as e:
                error = from_rpc(e, event_id, self._lang)
                wait = max(error.retry_after or 0.0, pause * random.uniform(0.5, 1.0))
                # When the call's own deadline is over, that is the answer.
                again = isinstance(error, Unavailable) and error.code in _AGAIN
                if not again or time.monotonic() + wait > until:
                    raise error from e
            time.sleep(wait)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _stream(self, method: Callable[..., Any], request: Any) -> Iterator[Any]:
        call = method(request, metadata=self._metadata)
        try:
            yield from call
        except grpc.RpcError as e:
            raise from_rpc(e, lang=self._lang) from e
        finally:
            call.cancel()

    def _result(self, result: Any, event_id: str) -> Result:
        if result.WhichOneof("result") == "receipt":
            return answers.read(answers.Receipt, result.receipt)
        return from_refusal(result.refusal, event_id, self._lang)

    def _pages(self, method: Callable[..., Any], request: Any) -> Iterator[Any]:
        while True:
            page = self._call(method, request)
            yield page
            if not page.next_page_token:
                return
            # Later pages look at the same moment as the first.
            request.as_of.instant.CopyFrom(page.as_of)
            request.page_token = page.next_page_token


_AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


def _rates(response: supervisor_pb2.GetRatesResponse) -> answers.Rates:
    return answers.read(answers.Rates, response)


def _record(record: event_pb2.Record) -> answers.Record | answers.RuleRecord:
    if not record.HasField("published"):
        return answers.read(answers.Record, record)
    return answers.RuleRecord(
        position=record.position,
        recorded_at=instant(record.recorded_at),
        author=record.author or None,
        rule=answers.read(answers.Rule, record.published),
    )


def _point(when: When | None, name: str) -> supervisor_pb2.TimePoint | None:
    if when is None:
        return None
    if isinstance(when, datetime) or isinstance(when, str) and len(when) > len("YYYY-MM-DD"):
        return supervisor_pb2.TimePoint(instant=timestamp(when, name))
    return supervisor_pb2.TimePoint(date=day(when, name))


def _period(from_: When | None, to: When | None, as_of: When | None) -> dict[str, Any]:
    # `from` is a word of Python's.
    return {"from": _point(from_, "from_"), "to": _point(to, "to"), "as_of": _point(as_of, "as_of")}


def _filter(unit: str, procedure: str, field: str, channel: str) -> supervisor_pb2.DossierFilter:
    return supervisor_pb2.DossierFilter(unit=unit, procedure=procedure, field=field, channel=channel)


def _rates_question(
    definition: str,
    by: Sequence[str],
    from_: When | None,
    to: When | None,
    as_of: When | None,
    filter_: supervisor_pb2.DossierFilter,
    time_zone: str,
    min_position: int,
) -> supervisor_pb2.GetRatesRequest:
    return supervisor_pb2.GetRatesRequest(
        definition=definition,
        by=[by] if isinstance(by, str) else by,
        **_period(from_, to, as_of),
        filter=filter_,
        time_zone=time_zone,
        min_position=min_position,
    )
