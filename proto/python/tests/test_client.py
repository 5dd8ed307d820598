"""The client against the real server: DUNGHEN_BIN, or target/debug/dunghen."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import grpc

import dunghen
from dunghen import errors

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("DUNGHEN_BIN", ROOT / "target/debug/dunghen"))
EXAMPLE = ROOT / "proto/python/examples/desk_day.py"
README = ROOT / "proto/python/README.md"
HANOI = timezone(timedelta(hours=7))
#: A calendar with working Saturdays, a term, a payment that stops the clock, and a target.
RULES = """format = 1

[[calendar]]
code = "city"
effective_from = "2025-01-01"
first = "2025-01-01"
last = "2025-12-31"
weekly_days_off = ["sunday"]
hours = ["08:00-12:00", "13:00-17:00"]
cut_off = "16:00"
days_off = [{ date = "2025-09-02", vi = "Quốc khánh", en = "National Day", kind = "holiday" }]

[[unit]]
code = "H44.22"
effective_from = "2025-01-01"
vi = "Sở Y tế"
en = "Department of Health"
calendar = "city"

[[procedure]]
code = "9.000001"
effective_from = "2025-01-01"
vi = "Cấp số tiếp nhận"
term = "5 working_day"
payment_stops_clock = true

[[target]]
code = "plan.on-time"
effective_from = "2025-01-01"
source = "Kế hoạch 2025"
clause = "III.1"
metric = "on_time_rate"
comparator = ">="
threshold = "0.5"
denominator = "resolved"
unit = "H44"
from = "2024-01-01"
to = "2025-12-31"
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=HANOI)


class Server:
    """A server on a scratch directory and a free port."""

    def __init__(self, data: str, listen: str = "127.0.0.1:0") -> None:
        self.process = subprocess.Popen(
            [BINARY, "serve", "--data", data, "--listen", listen], stdout=subprocess.PIPE, encoding="utf-8"
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            self.stop()
            raise RuntimeError(f"the server did not start: {line!r}")
        self.url = found.group()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        if self.process.stdout is not None:
            self.process.stdout.close()


class WithServer(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="dunghen-python-")
        self.addCleanup(folder.cleanup)
        self.data = folder.name
        self.server = Server(self.data)
        self.addCleanup(lambda: self.server.stop())
        self.client = dunghen.Client(self.server.url)
        self.addCleanup(self.client.close)


def received(code: str, **more: object) -> dunghen.Received:
    said: dict[str, object] = {
        "occurred_at": at("2025-09-03T09:00:00"),
        "unit": "H44.22",
        "due_date": date(2025, 9, 10),
        **more,
    }
    return dunghen.Received(dossier=code, **said)  # type: ignore[arg-type]


def processed(code: str, day: str = "2025-09-09") -> dunghen.Processed:
    return dunghen.Processed(dossier=code, occurred_at=at(f"{day}T09:00:00"))


class Recording(WithServer):
    def test_an_event_sent_twice_is_recorded_once(self) -> None:
        event = received("H44.22-1", desk="quay-3")
        first = self.client.record(event)
        again = self.client.record(event)
        self.assertEqual((first.event_id, first.dossier_version, first.duplicate), (event.event_id, 1, False))
        self.assertEqual(
            (again.position, again.recorded_at, again.duplicate), (first.position, first.recorded_at, True)
        )
        self.assertIn("RECORDED_LATE", first.flags)
        self.assertEqual(first.recorded_at.tzinfo, timezone.utc)

    def test_a_refusal_says_why_in_both_languages(self) -> None:
        event = processed("H44.22-404")
        with self.assertRaises(dunghen.Refused) as caught:
            self.client.record(event)
        refused = caught.exception
        self.assertEqual((refused.reason, refused.code), ("DOSSIER_UNKNOWN", grpc.StatusCode.NOT_FOUND))
        self.assertEqual(refused.event_id, event.event_id)
        self.assertIn("Chưa tiếp nhận hồ sơ H44.22-404", refused.message("vi"))
        self.assertIn("Nothing was recorded of dossier H44.22-404", refused.message("en"))
        self.assertIn("DOSSIER_UNKNOWN", str(refused))

    def test_a_client_says_which_language_it_reads(self) -> None:
        vietnamese = dunghen.Client(self.server.url, lang="vi")
        self.addCleanup(vietnamese.close)
        malformed = {"type": "Received", "dossier": "", "occurred_at": "2025-09-03T09:00:00+07:00"}
        for client, word, field in (
            (vietnamese, "Sự kiện không đúng mẫu", "bắt buộc phải có"),
            (self.client, "The event is malformed", "is required"),
        ):
            with self.subTest(word), self.assertRaises(dunghen.Refused) as caught:
                client.record(malformed)
            refused = caught.exception
            self.assertIn(word, str(refused))
            self.assertIn(word, refused.message())
            # What the server itself said, before anything was chosen here.
            cause = refused.__cause__
            assert isinstance(cause, grpc.RpcError)
            self.assertIn(word, cause.details())
            self.assertIn(field, cause.details())
            # Both are there whatever was asked for, also of each field.
            self.assertIn("Sự kiện không đúng mẫu", refused.message("vi"))
            self.assertIn("The event is malformed", refused.message("en"))
            self.assertEqual(refused.violations[0].message("vi"), "bắt buộc phải có")
            self.assertEqual(refused.violations[0].message("en"), "is required")
            [result] = client.record_batch([malformed], atomic=False)
            assert isinstance(result, dunghen.Refused)
            self.assertIn(word, result.message())
            [streamed] = client.record_stream([malformed])
            assert isinstance(streamed, dunghen.Refused)
            self.assertIn(word, str(streamed))
            with self.subTest(word), self.assertRaises(dunghen.Refused) as caught:
                next(client.watch_rates("guess"))
            self.assertEqual("phải là" in str(caught.exception), client is vietnamese)
        with self.assertRaises(ValueError):
            dunghen.Client(self.server.url, lang="fr")  # type: ignore[arg-type]

    def test_a_malformed_event_names_its_fields(self) -> None:
        event = {"type": "Received", "dossier": "", "occurred_at": "2025-09-03T09:00:00+07:00", "due_date": "10/9/2025"}
        with self.assertRaises(dunghen.Refused) as caught:
            self.client.record(event)
        refused = caught.exception
        self.assertEqual((refused.reason, refused.code), ("FIELD_MISSING", grpc.StatusCode.INVALID_ARGUMENT))
        self.assertEqual([v.field for v in refused.violations], ["dossier", "due_date"])
        self.assertIn("YYYY-MM-DD", refused.violations[1].message())
        self.assertIn("bắt buộc phải có", refused.message("vi"))
        self.assertIn("is required", refused.message("en"))
        # In a batch each field has its own reason and both languages.
        [result] = self.client.record_batch([event], atomic=False)
        assert isinstance(result, dunghen.Refused)
        self.assertEqual([v.reason for v in result.violations], ["FIELD_MISSING", "FIELD_INVALID"])
        self.assertEqual(result.violations[0].message("vi"), "bắt buộc phải có")

    def test_what_the_schema_cannot_say_is_not_sent(self) -> None:
        good = {"type": "Received", "dossier": "A", "occurred_at": "2025-09-03T09:00:00+07:00", "unit": "H44"}
        for wrong in (
            {"type": "Receive"},
            {"due_data": "2025-09-10"},
            {"occurred_at": "yesterday"},
            {"occurred_at": datetime(2025, 9, 3)},
            {"due": "2025-09-10T09:00:00+07:00", "due_date": "2025-09-10"},
            {"applicant_kind": "nobody"},
        ):
            with self.subTest(wrong), self.assertRaises(ValueError):
                self.client.record({**good, **wrong})
        self.assertEqual(list(self.client.replay()), [])

    def test_an_expected_version_that_is_not_the_actual_one(self) -> None:
        # Without a promise: the engine's Late would be a version of its own.
        self.client.record(received("V", due_date=None), expected_version=0)
        with self.assertRaises(dunghen.Refused) as caught:
            self.client.record(processed("V"), expected_version=2)
        self.assertEqual(caught.exception.reason, "VERSION_MISMATCH")
        self.assertEqual(self.client.record(processed("V"), expected_version=1).dossier_version, 2)

    def test_an_atomic_batch_goes_in_as_a_whole_or_not_at_all(self) -> None:
        batch = [received("A"), processed("UNKNOWN"), processed("A")]
        results = self.client.record_batch(batch, atomic=True)
        reasons = [r.reason for r in results if isinstance(r, dunghen.Refused)]
        self.assertEqual(reasons, ["BATCH_REFUSED", "DOSSIER_UNKNOWN", "BATCH_REFUSED"])
        self.assertEqual(list(self.client.replay()), [])

        first, second, third = self.client.record_batch(batch, atomic=False)
        self.assertIsInstance(first, dunghen.Receipt)
        assert isinstance(second, dunghen.Refused)
        self.assertEqual(second.event_id, batch[1].event_id)
        self.assertIsInstance(third, dunghen.Receipt)

    def test_history_is_not_flagged_as_recorded_late(self) -> None:
        results = self.client.record_batch([received("A"), processed("A")], atomic=True, imported=True)
        self.assertEqual([r.flags for r in results if isinstance(r, dunghen.Receipt)], [(), ()])

    def test_a_stream_answers_in_order_with_refusals_among_the_receipts(self) -> None:
        events = [e for i in range(300) for e in (received(f"S-{i}"), processed(f"S-{i}"))]
        events[101:101] = [processed("UNKNOWN")]
        results = list(self.client.record_stream(events))
        self.assertEqual([r.event_id for r in results], [e.event_id for e in events])
        refused = {i: r for i, r in enumerate(results) if isinstance(r, dunghen.Refused)}
        self.assertEqual(list(refused), [101])
        self.assertEqual(refused[101].reason, "DOSSIER_UNKNOWN")
        self.assertIn("UNKNOWN", refused[101].message("vi"))

    def test_a_stream_of_somebody_who_waits_for_each_answer(self) -> None:
        answered = threading.Event()

        def events() -> Iterator[dunghen.Event]:
            for i in range(3):
                yield received(f"W-{i}")
                self.assertTrue(answered.wait(10))
                answered.clear()

        versions = []
        for result in self.client.record_stream(events()):
            assert isinstance(result, dunghen.Receipt)
            versions.append(result.dossier_version)
            answered.set()
        self.assertEqual(versions, [1, 1, 1])

    def test_a_stream_whose_source_fails_keeps_what_was_sent(self) -> None:
        def events() -> Iterator[dunghen.Event]:
            yield received("F-1")
            raise OSError("the scanner is unplugged")

        results = self.client.record_stream(events())
        self.assertIsInstance(next(results), dunghen.Receipt)
        with self.assertRaisesRegex(OSError, "unplugged"):
            next(results)

    def test_a_stream_that_ends_early_is_not_taken_for_a_whole_one(self) -> None:
        # Larger than the server reads.
        results = self.client.record_stream([received("E-1"), received("E-2", unit="u" * 17_000_000), received("E-3")])
        self.assertIsInstance(next(results), dunghen.Receipt)
        with self.assertRaises(dunghen.DunghenError):
            next(results)

    def test_a_server_that_is_away_is_tried_again_with_the_same_id(self) -> None:
        event = received("R-1")
        first = self.client.record(event)
        address = self.server.url.removeprefix("http://")
        self.server.stop()
        with dunghen.Client(address, patience=0.2) as hasty, self.assertRaises(dunghen.Unavailable):
            hasty.record(event)
        restarted: list[Server] = []
        timer = threading.Timer(0.5, lambda: restarted.append(Server(self.data, address)))
        timer.start()
        again = self.client.record(event)
        timer.join()
        self.server = restarted[0]
        self.assertEqual((again.position, again.duplicate), (first.position, True))


class Correcting(WithServer):
    def setUp(self) -> None:
        super().setUp()
        self.received = received("K", channel="direct")
        self.processed = processed("K", "2025-09-12")
        for event in (self.received, self.processed):
            self.client.record(event)

    def correction(self, target: dunghen.Event, **more: object) -> dunghen.Corrected:
        said: dict[str, object] = {"occurred_at": at("2025-09-15T09:00:00"), "reason_code": "slip", **more}
        return dunghen.Corrected(dossier="K", target_event_id=target.event_id, **said)  # type: ignore[arg-type]

    def test_an_event_stands_in_the_place_of_another(self) -> None:
        before = self.client.rates("resolved")
        self.assertEqual((before.total.on_due, before.total.late), (0, 1))
        told = replace(self.processed, occurred_at=at("2025-09-10T16:00:00"), outcome="refused", desk="q3")
        correction = self.correction(self.processed, replacement=told)
        receipt = self.client.record(correction)
        after = self.client.rates("resolved")
        self.assertEqual((after.total.on_due, after.total.late), (1, 0))

        records = [r for r in self.client.replay(dossier="K") if isinstance(r, dunghen.Record)]
        types = [r.event.type for r in records]
        self.assertEqual(types, ["Received", "Late", "Processed", "Corrected"])
        # The first words stay on record, and the correction is read as it was said.
        self.assertEqual(records[2].event.occurred_at, self.processed.occurred_at)
        self.assertEqual((records[3].position, records[3].event), (receipt.position, correction))
        read = records[3].event
        assert isinstance(read, dunghen.Corrected) and isinstance(read.replacement, dunghen.Processed)
        self.assertEqual((read.annul, read.replacement.outcome, read.replacement.desk), (False, "refused", "q3"))
        self.assertEqual((read.replacement.dossier, read.replacement.event_id), ("K", correction.event_id))

        # The same in the words of the NDJSON, with what a line of a replay carries.
        line = {
            "event_id": correction.event_id,
            "dossier": "K",
            "type": "Corrected",
            "occurred_at": "2025-09-15T09:00:00+07:00",
            "target_event_id": self.processed.event_id,
            "reason_code": "slip",
            "annul": None,
            "replacement": {
                "type": "Processed",
                "occurred_at": "2025-09-10T09:00:00.000Z",
                "outcome": "refused",
                "desk": "q3",
                "position": 2,
                "flags": [],
            },
        }
        again = self.client.record(line)
        self.assertEqual((again.position, again.duplicate), (receipt.position, True))

    def test_an_event_is_annulled(self) -> None:
        self.client.record(self.correction(self.processed, annul=True))
        self.assertEqual(self.client.dossier("K").dossier.state, "late")
        record = self.client.dossier("K").history[-1]
        assert isinstance(record.event, dunghen.Corrected)
        self.assertEqual((record.event.annul, record.event.replacement), (True, None))
        # It has not ended any more.
        self.assertEqual(self.client.record(processed("K", "2025-09-10")).duplicate, False)

    def test_a_due_that_had_passed_is_flagged(self) -> None:
        correction = self.correction(self.received, replacement=replace(self.received, due_date=date(2025, 9, 15)))
        self.assertIn("DUE_CORRECTED_LATE", self.client.record(correction).flags)
        other = self.correction(
            self.received, replacement=replace(self.received, due_date="2025-09-15", channel="online")
        )
        self.assertNotIn("DUE_CORRECTED_LATE", self.client.record(other).flags)
        detail = self.client.dossier("K")
        self.assertEqual((detail.dossier.channel, detail.dossier.due_date), ("online", date(2025, 9, 15)))

    def test_what_is_no_correction(self) -> None:
        for wrong, said in (
            ({"annul": True, "replacement": self.processed}, "annul or replacement"),
            ({"replacement": {"type": "Processed", "outcom": "granted"}}, "replacement: Processed has no field outcom"),
            ({"replacement": "Processed"}, "replacement: 'Processed' is no event"),
            ({"replacement": {"type": "Processed", "occurred_at": "yesterday"}}, "occurred_at"),
        ):
            line = {"type": "Corrected", "dossier": "K", "occurred_at": "2025-09-15T09:00:00Z", "reason_code": "slip"}
            with self.subTest(said), self.assertRaisesRegex(ValueError, said):
                self.client.record({**line, "target_event_id": self.processed.event_id, **wrong})
        for correction, field in (
            (self.correction(self.processed), "annul"),
            (self.correction(self.processed, replacement=processed("L")), "replacement.dossier"),
            (
                self.correction(self.processed, replacement=replace(self.processed, occurred_at="")),
                "replacement.occurred_at",
            ),
        ):
            with self.subTest(field), self.assertRaises(dunghen.Refused) as caught:
                self.client.record(correction)
            self.assertEqual([v.field for v in caught.exception.violations], [field])
        self.assertEqual(self.client.dossier("K").dossier.state, "ended")


class Publishing(WithServer):
    def test_rules_are_published_and_in_force(self) -> None:
        trial = self.client.publish(RULES, dry_run=True)
        kinds = [("calendar", "city"), ("unit", "H44.22"), ("procedure", "9.000001"), ("target", "plan.on-time")]
        self.assertEqual(
            [(r.kind, r.code, r.version, r.position, r.duplicate) for r in trial], [(*k, 1, None, False) for k in kinds]
        )
        self.assertEqual(list(self.client.replay()), [])
        published = self.client.publish(RULES)
        self.assertEqual(
            [(r.position, r.duplicate) for r in published], [(0, False), (1, False), (2, False), (3, False)]
        )
        again = self.client.publish(RULES)
        self.assertEqual(
            [(r.version, r.position, r.duplicate) for r in again],
            [(1, 0, True), (1, 1, True), (1, 2, True), (1, 3, True)],
        )

        [city] = self.client.rules("calendar", "city")
        self.assertEqual((city.built_in, city.position, city.rule.version), (False, 0, 1))
        self.assertEqual(city.rule.effective_from, date(2025, 1, 1))
        self.assertIn('cut_off = "16:00"', city.rule.text)
        [unit] = self.client.rules(code="H44.22")
        self.assertEqual((unit.rule.kind, unit.name_vi, unit.name_en), ("unit", "Sở Y tế", "Department of Health"))
        self.assertEqual(self.client.rules(code="H44.22", as_of="2024-12-31"), [])
        [country] = self.client.rules("calendar", "vn")
        self.assertEqual(
            (country.built_in, country.position, country.recorded_at, country.rule.version), (True, None, None, 0)
        )

        # The desk gives no due, or another one.
        silent = received("A", procedure="9.000001", due_date=None)
        self.client.record(silent)
        self.assertIn("DUE_DIFFERS", self.client.record(received("B", procedure="9.000001")).flags)
        self.client.record(dunghen.PaymentRequested(dossier="A", occurred_at=at("2025-09-04T09:00:00")))
        detail = self.client.dossier("A")
        asked, paid = detail.history[0], next(r for r in detail.history if r.event.type == "PaymentRequested")
        # Thursday to Saturday, Monday and Tuesday.
        self.assertEqual((asked.event, asked.reckoned_due_date, asked.reckoned_due), (silent, date(2025, 9, 9), None))
        self.assertEqual((asked.clock_stops, paid.clock_stops, detail.dossier.waiting), (False, True, True))
        self.assertEqual(detail.promises[0].due_date, date(2025, 9, 9))

    def test_a_fault_names_its_line(self) -> None:
        with self.assertRaises(dunghen.Refused) as caught:
            self.client.publish(RULES.replace("5 working_day", "5 days"))
        refused = caught.exception
        line = RULES[: RULES.index("term =")].count("\n") + 1
        self.assertEqual((refused.reason, [v.field for v in refused.violations]), ("FIELD_INVALID", ["file"]))
        self.assertIn(f"line {line}: term", refused.message("en"))
        self.assertIn(f"dòng {line}: term", refused.message("vi"))
        self.assertTrue(all(r.built_in for r in self.client.rules()))
        with self.assertRaises(dunghen.Refused) as caught:
            self.client.rules("law")
        self.assertEqual([v.field for v in caught.exception.violations], ["kind"])

    def test_rules_are_replayed_among_the_events(self) -> None:
        first = self.client.record(received("A", due_date=None))
        self.client.publish(RULES)
        self.client.record(received("B", due_date=None))
        items = list(self.client.replay())
        self.assertEqual([i.position for i in items], list(range(6)))
        rules = [i for i in items if isinstance(i, dunghen.RuleRecord)]
        self.assertEqual(
            [(r.position, r.rule.code, r.rule.version) for r in rules][:2], [(1, "city", 1), (2, "H44.22", 1)]
        )
        self.assertGreaterEqual(rules[0].recorded_at, first.recorded_at)
        [city] = self.client.rules("calendar", "city")
        self.assertEqual((rules[0].rule, rules[0].recorded_at), (city.rule, city.recorded_at))
        events = [i.event.dossier for i in items if isinstance(i, dunghen.Record)]
        self.assertEqual(events, ["A", "B"])
        self.assertEqual([i.position for i in self.client.replay(unit="H44")], [0, 5])
        self.assertEqual([i.position for i in self.client.replay(types=["Received"])], [0, 5])
        # A follower hears of them, too.
        follower = self.client.replay(5, follow=True)
        self.assertIsInstance(next(follower), dunghen.Record)
        self.assertIsInstance(next(follower), dunghen.CaughtUp)
        self.client.publish(RULES.replace("5 working_day", "6 working_day"))
        item = next(i for i in follower if not isinstance(i, dunghen.Heartbeat))
        assert isinstance(item, dunghen.RuleRecord)
        self.assertEqual((item.rule.kind, item.rule.version), ("procedure", 2))
        follower.close()  # type: ignore[attr-defined]

    def test_lines_of_a_replay_are_recorded_again_without_harm(self) -> None:
        self.client.publish(RULES)
        for event in (
            received("A", procedure="9.000001", due_date=None),
            dunghen.PaymentRequested(dossier="A", occurred_at=at("2025-09-04T09:00:00")),
        ):
            self.client.record(event)
        ran = subprocess.run(
            [BINARY, "replay", "--server", self.server.url],
            check=True,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        lines = [json.loads(line) for line in ran.stdout.splitlines()]
        told = [line for line in lines if line["type"] not in ("Late", "Published")]
        self.assertIn("reckoned_due_date", told[0])
        self.assertIn("clock_stops", told[1])
        for line in told:
            receipt = self.client.record(line)
            self.assertEqual((receipt.position, receipt.duplicate), (line["position"], True))
        with self.assertRaisesRegex(ValueError, "Published"):
            self.client.record(next(line for line in lines if line["type"] == "Published"))

    def test_targets_year_by_year(self) -> None:
        self.client.publish(RULES)
        self.client.record_batch(
            [
                received("A"),
                processed("A"),
                received("B"),
                processed("B", "2025-09-12"),
                received("C", due_date="2025-12-20"),
            ],
            atomic=True,
            imported=True,
        )
        past, running = self.client.targets("plan.on-time", as_of="2025-10-01")
        self.assertEqual(
            (past.year, past.whole, past.rate, past.verdict, past.outlook), (2024, 0, None, "not_applicable", None)
        )
        self.assertEqual((running.part, running.whole, running.rate, running.verdict), (1, 2, 0.5, "met"))
        self.assertEqual(
            (running.comparator, running.threshold, running.unit, running.over), (">=", 5000, "H44", False)
        )
        self.assertEqual((running.first_date, running.last_date), (date(2025, 1, 1), date(2025, 12, 31)))
        self.assertEqual((running.from_, running.to), (at("2025-01-01T00:00:00"), at("2026-01-01T00:00:00")))
        self.assertEqual((running.clause, running.note, running.no_data), ("III.1", None, None))
        assert running.outlook is not None
        self.assertEqual((running.outlook.decided, running.outlook.open_due, running.outlook.may_fail), (2, 1, 0))
        self.assertTrue(running.outlook.text_vi and running.outlook.text_en)
        [elsewhere] = self.client.targets("plan.on-time", year=2025, unit="H99")
        self.assertEqual((elsewhere.unit, elsewhere.verdict), ("H99", "not_applicable"))
        self.assertIn("plan.on-time", {t.code for t in self.client.targets(as_of="2025-10-01")})
        with self.assertRaises(dunghen.Refused):
            self.client.targets("no-such-plan")


class Asking(WithServer):
    def setUp(self) -> None:
        super().setUp()
        self.client.record_batch(
            [
                received("A", procedure="1.002600", field="Mỹ phẩm", channel="online", applicant_kind="enterprise"),
                processed("A", "2025-09-10"),
                received("B", unit="H44.23"),
                processed("B", "2025-09-12"),
                received("C", due_date=None),
                received("D", due_date=None, due=at("2025-09-05T10:00:00")),
                dunghen.ApologySent(
                    dossier="D",
                    occurred_at=at("2025-09-05T09:00:00"),
                    reason_code="workload",
                    new_due_date=date(2025, 9, 15),
                ),
            ],
            atomic=True,
            imported=True,
        )

    def test_rates_are_integers(self) -> None:
        rates = self.client.rates("resolved", by=["unit", "channel"], from_=date(2025, 9, 1), to="2025-10-01")
        total = rates.total
        self.assertEqual((total.received, total.resolved, total.cohort), (4, 2, 2))
        self.assertEqual((total.on_time, total.late, total.on_due, total.on_time_rate), (1, 1, 1, 0.5))
        for group in rates.groups:
            self.assertIsInstance(group.figures.on_time, int)
        keys = [(g.key["unit"], g.key["channel"]) for g in rates.groups]
        self.assertEqual(keys, [("H44.22", None), ("H44.22", "online"), ("H44.23", None)])
        self.assertEqual(rates.from_, at("2025-09-01T00:00:00"))
        self.assertEqual(rates.time_zone, "Asia/Ho_Chi_Minh")
        nothing = self.client.rates(unit="H99")
        self.assertEqual((nothing.total.cohort, nothing.total.on_time_rate, nothing.from_), (0, None, None))
        then = self.client.rates(as_of=at("2025-09-11T09:00:00"), unit="H44")
        self.assertEqual((then.total.on_time, then.total.late), (1, 0))

    def test_a_question_that_makes_no_sense(self) -> None:
        with self.assertRaises(dunghen.Refused) as caught:
            self.client.rates("solved")
        self.assertEqual(caught.exception.reason, "FIELD_INVALID")
        self.assertEqual([v.field for v in caught.exception.violations], ["definition"])
        self.assertIn("phải là một trong", caught.exception.message("vi"))

    def test_a_position_that_is_not_reached_in_time(self) -> None:
        head = self.client.rates().position
        self.assertEqual(self.client.rates(min_position=head).position, head)
        with self.assertRaises(dunghen.Refused) as caught:
            self.client.rates(min_position=head + 1, timeout=0.5)
        self.assertEqual(caught.exception.reason, "NOT_YET_AT_POSITION")

    def test_lists_and_single_dossiers(self) -> None:
        late = list(self.client.dossiers(definition="resolved", outcome="late"))
        self.assertEqual([d.dossier for d in late], ["B"])
        assert late[0].verdict is not None
        self.assertEqual((late[0].verdict.rule, late[0].due_date), ("missed", date(2025, 9, 10)))
        self.assertTrue(late[0].verdict.text_vi and late[0].verdict.text_en)
        states = {d.dossier: d.state for d in self.client.dossiers(as_of="2025-09-11")}
        self.assertEqual(states, {"A": "ended", "B": "late", "C": "open", "D": "open"})

        detail = self.client.dossier("D")
        self.assertEqual([p.due_date for p in detail.promises], [None, date(2025, 9, 15)])
        self.assertEqual(detail.promises[0].due, at("2025-09-05T10:00:00"))
        apology = detail.history[1].event
        assert isinstance(apology, dunghen.ApologySent)
        self.assertEqual((apology.reason_code, apology.new_due_date), ("workload", date(2025, 9, 15)))
        with self.assertRaises(dunghen.Refused) as caught:
            self.client.dossier("X")
        self.assertEqual(caught.exception.reason, "DOSSIER_UNKNOWN")

        owed = {(o.dossier, o.obligation.promise): o.obligation.state for o in self.client.obligations()}
        self.assertEqual(owed[("B", 1)], "missing")
        self.assertEqual([o.dossier for o in self.client.obligations("missing", unit="H44.23")], ["B"])

    def test_an_obligation_says_why_and_how_long_there_is(self) -> None:
        owed = {(o.dossier, o.obligation.promise): o for o in self.client.obligations()}
        told, untold = owed[("D", 1)], owed[("B", 1)]
        self.assertEqual((told.reason_code, told.objective, told.left_working_ms), ("workload", False, None))
        self.assertEqual((untold.reason_code, untold.objective, untold.left_working_ms), (None, None, None))
        foreseen = {o.dossier: o for o in self.client.obligations("forecast", as_of="2025-09-08")}
        # Two days of seven and a half hours.
        self.assertEqual((foreseen["A"].left_working_ms, foreseen["A"].window_closed), (54_000_000, False))

    def test_the_official_form(self) -> None:
        form = self.client.form("unit", from_="2025-09-01", to="2025-10-01")
        self.assertEqual((form.from_, form.to), (at("2025-09-01T00:00:00"), at("2025-10-01T00:00:00")))
        total = form.total
        self.assertEqual((total.total_received, total.online, total.direct, total.carried_over), (4, 1, 3, 0))
        self.assertEqual((total.resolved, total.on_due, total.overdue), (2, 1, 1))
        self.assertEqual((total.in_progress, total.in_progress_overdue, total.in_progress_no_deadline), (2, 1, 1))
        self.assertEqual([(r.key["unit"], r.figures.total_received) for r in form.rows], [("H44.22", 3), ("H44.23", 1)])
        by_field = self.client.form(from_=date(2025, 9, 1), to=date(2025, 10, 1), unit="H44.22")
        self.assertEqual([(r.key["field"], r.figures.resolved) for r in by_field.rows], [(None, 0), ("Mỹ phẩm", 1)])
        for row in (total, *(r.figures for r in form.rows)):
            self.assertEqual(row.total_received, row.resolved + row.in_progress + row.withdrawn)
        with self.assertRaises(dunghen.Refused) as caught:
            self.client.form("month", from_="2025-09-01", to="2025-10-01")
        self.assertEqual([v.field for v in caught.exception.violations], ["by"])

    def test_a_dossier_explains_its_due(self) -> None:
        self.assertIsNone(self.client.dossier("A").explanation)
        self.client.record_batch(
            [
                received("E", procedure="1.002600", due_date=None),
                dunghen.Forwarded(
                    dossier="E", occurred_at=at("2025-09-04T09:00:00"), to_unit="H44.30", step_due_date="2025-09-05"
                ),
                dunghen.SupplementRequested(dossier="E", occurred_at=at("2025-09-05T09:00:00")),
                dunghen.Supplemented(dossier="E", occurred_at=at("2025-09-08T09:00:00")),
                dunghen.ApologySent(
                    dossier="E", occurred_at=at("2025-09-08T10:00:00"), letter_number="7/XL", reason_code="workload"
                ),
            ],
            atomic=True,
            imported=True,
        )
        detail = self.client.dossier("E", explain=True)
        self.assertEqual([(s.giver, s.unit) for s in detail.slip], [(None, "H44.22"), ("H44.22", "H44.30")])
        self.assertEqual(detail.holder, "H44.30")
        why = detail.explanation
        assert why is not None
        rules = {r.kind: (r.code, r.version) for r in why.rules}
        self.assertEqual(rules, {"calendar": ("vn", 0), "procedure": ("1.002600", 0), "apology": ("hcmc-5157", 0)})
        # Three working days.
        self.assertEqual((why.given_due_date, why.reckoned_due_date), (None, date(2025, 9, 8)))
        self.assertIn("8/09/2025", why.text_vi)
        self.assertEqual([d.date for d in why.days if d.what == "counted"][:1], [date(2025, 9, 4)])
        [wait] = why.waits
        self.assertEqual((wait.from_, wait.to), (at("2025-09-05T09:00:00"), at("2025-09-08T09:00:00")))
        self.assertEqual(
            (wait.effect, wait.before_date, wait.days, wait.working_days), ("resumed", date(2025, 9, 8), 3, 1)
        )
        [letter] = why.letters
        self.assertEqual((letter.letter_number, letter.effect, letter.new_due_date), ("7/XL", "defective", None))
        self.assertTrue(letter.text_vi and letter.text_en)

    def test_pages_are_put_together(self) -> None:
        self.client.record_batch([received(f"P-{i}") for i in range(1500)], atomic=False, imported=True)
        codes = [d.dossier for d in self.client.dossiers("late")]
        self.assertEqual(len([c for c in codes if c.startswith("P-")]), 1500)
        self.assertEqual(len(set(codes)), len(codes))

    def test_what_is_replayed_is_what_was_said(self) -> None:
        event = received("Z", field="Mỹ phẩm", channel="online", applicant_kind="citizen", desk="q1", actor="cb.17")
        receipt = self.client.record(event)
        [record] = [r for r in self.client.replay(dossier="Z", types=["Received"]) if isinstance(r, dunghen.Record)]
        self.assertEqual((record.position, record.event), (receipt.position, event))

    def test_a_follower_catches_up_and_hears_what_comes_later(self) -> None:
        items = self.client.replay(follow=True, types=["Withdrawn"])
        caught_up = next(items)
        assert isinstance(caught_up, dunghen.CaughtUp)
        self.assertGreaterEqual(caught_up.position, 7)
        receipt = self.client.record(dunghen.Withdrawn(dossier="C", occurred_at=datetime.now(timezone.utc)))
        record = next(i for i in items if not isinstance(i, dunghen.Heartbeat))
        assert isinstance(record, dunghen.Record)
        self.assertEqual((record.position, record.event.type), (receipt.position, "Withdrawn"))
        self.assertIsInstance(next(items), dunghen.Heartbeat)
        items.close()  # type: ignore[attr-defined]

    def test_a_watch_tells_of_a_change(self) -> None:
        answers = self.client.watch_rates("resolved", by=["unit"], max_per_second=10)
        before = next(answers)
        self.client.record(processed("C", "2025-09-09"))
        after = next(answers)
        self.assertEqual(after.total.resolved, before.total.resolved + 1)
        self.assertEqual(after.total.no_deadline, 1)
        answers.close()  # type: ignore[attr-defined]

    def test_a_worklist_is_watched(self) -> None:
        lists = self.client.watch_dossiers("open", max_per_second=10)
        before = [d.dossier for d in next(lists)]
        self.assertIn("C", before)
        self.client.record(processed("C", "2025-09-09"))
        self.assertEqual([d.dossier for d in next(lists)], [code for code in before if code != "C"])
        lists.close()  # type: ignore[attr-defined]
        [first] = next(self.client.watch_dossiers(page_size=1))
        self.assertEqual(first, next(self.client.dossiers()))

    def test_the_example_runs_twice(self) -> None:
        for _ in range(2):
            ran = subprocess.run(
                [sys.executable, EXAMPLE, self.server.url],
                check=False,
                capture_output=True,
                encoding="utf-8",
                timeout=60,
            )
            self.assertEqual((ran.returncode, ran.stderr), (0, ""))
            self.assertIn("DOSSIER_UNKNOWN", ran.stdout)
            self.assertIn("H44.22", ran.stdout)
            self.assertRegex(ran.stdout, "corrected: position .*, version ")
            self.assertIn("II.06a: ", ran.stdout)


class Readme(WithServer):
    def test_what_it_shows_works_as_written(self) -> None:
        blocks = re.findall("```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            for block in blocks:
                exec(block.replace("127.0.0.1:7070", self.server.url), {})
        rate, rule, *more = printed.getvalue().splitlines()
        self.assertEqual((len(blocks), rate, rule), (4, "1.0", "procedure 9.000001 1 False"))
        # The promise of the dossier for which nobody gave a due, its record, and the form.
        self.assertTrue(any(line.startswith("2025-09-10 ") for line in more), more)
        self.assertTrue(any(line.endswith(" Received 2025-09-10") for line in more), more)
        self.assertIn("H44.22 2 1 1", more)
        history = self.client.dossier("H44.22-250903-0002").history
        self.assertEqual(history[-1].event.type, "Corrected")


class Ids(unittest.TestCase):
    def test_ids_are_uuids_of_version_7_in_the_order_of_time(self) -> None:
        import uuid

        ids = [dunghen.new_event_id() for _ in range(100)]
        self.assertEqual(len(set(ids)), 100)
        self.assertEqual({(u.version, u.variant) for u in map(uuid.UUID, ids)}, {(7, uuid.RFC_4122)})
        milliseconds = [i[:13] for i in ids]
        self.assertEqual(milliseconds, sorted(milliseconds))

    def test_an_error_without_details_keeps_its_code(self) -> None:
        class Plain(grpc.RpcError):  # type: ignore[misc]
            def code(self) -> grpc.StatusCode:
                return grpc.StatusCode.UNIMPLEMENTED

            def details(self) -> str:
                return "no such method"

            def trailing_metadata(self) -> None:
                return None

        error = errors.from_rpc(Plain())
        self.assertEqual((error.reason, error.message("vi")), ("UNIMPLEMENTED", "no such method"))
        self.assertNotIsInstance(error, (dunghen.Refused, dunghen.Unavailable))


if __name__ == "__main__":
    unittest.main()
