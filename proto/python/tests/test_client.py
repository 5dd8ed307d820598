"""The client against the real server: DUNGHEN_BIN, or target/debug/dunghen."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import grpc

import dunghen
from dunghen import errors

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("DUNGHEN_BIN", ROOT / "target/debug/dunghen"))
EXAMPLE = ROOT / "proto/python/examples/desk_day.py"
HANOI = timezone(timedelta(hours=7))


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


class Rules(WithServer):
    def test_a_replay_has_rules_and_what_they_made_of_events(self) -> None:
        rule = (
            'format = 1\n[[procedure]]\ncode = "9.1"\neffective_from = "2025-01-01"\nvi = "Thử"\n'
            'term = "2 working_day"\n'
        )
        command = [BINARY, "publish", "-", "--server", self.server.url]
        subprocess.run(command, input=rule, encoding="utf-8", check=True, stdout=subprocess.DEVNULL)
        self.client.record(received("A", procedure="9.1", due_date=None))
        published, record, *_ = self.client.replay()
        assert isinstance(published, dunghen.Published) and isinstance(record, dunghen.Record)
        self.assertEqual((published.kind, published.code, published.version), ("procedure", "9.1", 1))
        self.assertIn('term = "2 working_day"', published.text)
        self.assertEqual((record.reckoned_due_date, record.reckoned_due), (date(2025, 9, 5), None))


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
