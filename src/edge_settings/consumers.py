"""Which of the collector's streams have a consumer: an event source mapping that reads them.

Kinesis acknowledges records that no function ever reads, and deletes them after the retention. So
the collector gets only the streams with a consumer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge_settings.errors import ConsumerReadError, MissingPropertyError, UnconsumedStreamError


@dataclass(frozen=True)
class Streams:
    """The ARNs of the streams with a consumer, and the reasons against the others by Region."""

    consumed: tuple[str, ...]
    skipped: Mapping[str, str]

    @property
    def regions(self) -> list[str]:
        """The Regions of the streams with a consumer."""
        return [region_of(arn) for arn in self.consumed]

    @property
    def skipped_summary(self) -> str:
        """The Regions without a consumer, each with its reason; "none" without such a Region."""
        return "; ".join(f"{region}: {it}" for region, it in self.skipped.items()) or "none"


def stream_arns(function_arn: str, stream: str, regions: Iterable[str]) -> list[str]:
    """Return the ARN of a stream in each Region, in the account of a function."""
    _, partition, _, _, account, _ = function_arn.split(":", 5)
    return [f"arn:{partition}:kinesis:{it}:{account}:stream/{stream}" for it in regions]


def region_of(arn: str) -> str:
    """Return the Region in an ARN."""
    return arn.split(":")[3]


def find_consumed(arns: Iterable[str], has_consumer: Callable[[str], bool]) -> Streams:
    """Sort streams into those with and without a consumer.

    A Region that doesn't answer counts as one without a consumer, so that its outage doesn't stop a
    deployment; the next one adds it again.
    """
    consumed, skipped = [], {}
    for arn in arns:
        try:
            if has_consumer(arn):
                consumed.append(arn)
            else:
                skipped[region_of(arn)] = "no enabled event source mapping reads the stream"
        except ConsumerReadError as error:
            skipped[region_of(arn)] = str(error)
    return Streams(tuple(consumed), skipped)


def require_one(streams: Streams) -> Streams:
    """Return the streams if at least one has a consumer.

    Raises:
        UnconsumedStreamError: The collector would have no stream.
    """
    if not streams.consumed:
        raise UnconsumedStreamError(
            "The collector would have no stream, because no Region has a consumer: "
            f"{streams.skipped_summary}. Deploy a Region of the parameter Regions first."
        )
    return streams


def require_all(streams: Streams) -> Streams:
    """Return the streams if all have a consumer.

    Raises:
        UnconsumedStreamError: The collector writes to a stream that nothing reads.
    """
    if streams.skipped:
        raise UnconsumedStreamError(
            f"The collector writes to streams without a consumer: {streams.skipped_summary}."
        )
    return streams


def parse_stream_arns(event: Mapping[str, object]) -> Sequence[str]:
    """Return the stream ARNs in the schedule's input, which are separated by commas.

    Raises:
        MissingPropertyError: The input has no stream ARNs.
    """
    value = event.get("StreamArns")
    if not isinstance(value, str) or not value.startswith("arn:"):
        raise MissingPropertyError("StreamArns must be stream ARNs, separated by commas.")
    return value.split(",")
