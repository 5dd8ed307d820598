"""What can go wrong, with reasons for programs and texts for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2, status_pb2

from dunghen.v1 import desk_pb2

_DOMAIN = "dunghen"


@dataclass(frozen=True)
class Violation:
    """A field at fault."""

    field: str
    #: FIELD_MISSING, FIELD_INVALID or UNKNOWN_TYPE; None where the server does not say
    reason: str | None
    texts: Mapping[str, str]

    def message(self, lang: str = "en") -> str:
        """What is wrong, in `vi` or `en` (in the other one where the server says it in one only)."""
        return self.texts.get(lang) or next(iter(self.texts.values()), "")


class DunghenError(Exception):
    """A call that was not answered. `reason` is stable; `message` is for people."""

    def __init__(
        self,
        reason: str,
        texts: Mapping[str, str],
        *,
        violations: Iterable[Violation] = (),
        event_id: str | None = None,
        code: grpc.StatusCode | None = None,
        retry_after: float | None = None,
        lang: str = "en",
    ) -> None:
        self.reason = reason
        self.texts = dict(texts)
        #: The language that the client reads.
        self.lang = lang
        self.violations = tuple(violations)
        #: Of the event that was refused, if it was about one.
        self.event_id = event_id
        #: Not set for an event of a batch or a stream.
        self.code = code
        #: Seconds, if the server said so.
        self.retry_after = retry_after
        super().__init__(f"{reason}: {self.message()}")

    def message(self, lang: str | None = None) -> str:
        """What to do, in `vi` or `en`; in the language of the client if not said."""
        return self.texts.get(lang or self.lang) or self.texts.get("en", "")


class Refused(DunghenError):
    """The server said no, and nothing was changed. Sending the same again is answered the same."""


class Unavailable(DunghenError):
    """The server could not be asked, or not now. Whether an event arrived is not known: send the same event again."""


_LATER = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)


def from_rpc(error: grpc.RpcError, event_id: str | None = None, lang: str = "en") -> DunghenError:
    """The error of a call, with what its details say."""
    code: grpc.StatusCode = error.code()
    reason: str | None = None
    # In the words of the transport, unless the details have a text.
    texts = {"en": error.details() or code.name}
    # The language of the descriptions: that of the first text.
    spoken: str | None = None
    violations: list[Violation] = []
    retry_after: float | None = None
    for detail in _details(error):
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo.FromString(detail.value)
            reason = info.reason if info.domain == _DOMAIN else reason
        elif detail.Is(error_details_pb2.LocalizedMessage.DESCRIPTOR):
            text = error_details_pb2.LocalizedMessage.FromString(detail.value)
            texts[text.locale] = text.message
            spoken = spoken or text.locale
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            for v in error_details_pb2.BadRequest.FromString(detail.value).field_violations:
                said = {spoken or "en": v.description}
                if v.localized_message.locale:
                    said[v.localized_message.locale] = v.localized_message.message
                violations.append(Violation(v.field, v.reason or None, said))
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry_after = error_details_pb2.RetryInfo.FromString(detail.value).retry_delay.ToTimedelta().total_seconds()
    later = code in _LATER or retry_after is not None
    kind = Unavailable if later else Refused if reason is not None else DunghenError
    return kind(
        reason or code.name,
        texts,
        violations=violations,
        event_id=event_id,
        code=code,
        retry_after=retry_after,
        lang=lang,
    )


def from_refusal(refusal: desk_pb2.Refusal, event_id: str, lang: str = "en") -> Refused:
    """The refusal of one event of a batch or a stream."""
    violations = (Violation(v.field, v.reason, {"vi": v.message_vi, "en": v.message_en}) for v in refusal.violations)
    texts = {"vi": refusal.message_vi, "en": refusal.message_en}
    return Refused(refusal.reason, texts, violations=violations, event_id=event_id, lang=lang)


def _details(error: grpc.RpcError) -> Iterable[status_pb2.Status]:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return status_pb2.Status.FromString(value).details  # type: ignore[no-any-return]
    return ()
