"""The log groups of the edge functions, and what a run did with them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge_logs.errors import InvalidPropertyError

#: The Region of every Lambda@Edge function (CloudFront, "Restrictions on Lambda@Edge").
FUNCTION_REGION: Final = "us-east-1"
#: CloudFormation limits a response body to 4 KB.
MAX_SUMMARY_CHARS: Final = 1_000


@dataclass(frozen=True)
class EdgeLogs:
    """The edge functions by name, and the days for which their log groups keep lines."""

    functions: tuple[str, ...]
    retention_days: int

    def groups(self, region: str) -> list[str]:
        """Return the names of the log groups in a Region.

        Lambda@Edge writes to `/aws/lambda/us-east-1.<function>` in each Region (CloudFront, "Edge
        function logs"). An invocation outside CloudFront, such as a test in Lambda's console,
        writes to `/aws/lambda/<function>` in us-east-1.
        """
        groups = [f"/aws/lambda/{FUNCTION_REGION}.{name}" for name in self.functions]
        if region == FUNCTION_REGION:
            groups += [f"/aws/lambda/{name}" for name in self.functions]
        return groups


@dataclass(frozen=True)
class Run:
    """The Regions of one run, and the error of each Region that failed."""

    regions: tuple[str, ...]
    failures: Mapping[str, str]

    @property
    def summary(self) -> str:
        """One sentence for the stack's output and the log."""
        succeeded = len(self.regions) - len(self.failures)
        count = f"{succeeded} of {len(self.regions)} Regions"
        text = f"The logs of the edge functions expire in {count}."
        if self.failures:
            text += " Errors: " + "; ".join(
                f"{region}: {error}" for region, error in sorted(self.failures.items())
            )
        return text[:MAX_SUMMARY_CHARS]


def parse(properties: Mapping[str, object]) -> EdgeLogs:
    """Parse the properties of a Custom::EdgeLogs, or the input of the schedule.

    Raises:
        InvalidPropertyError: A property is missing or malformed.
    """
    functions = properties.get("Functions")
    if not isinstance(functions, list) or not functions:
        raise InvalidPropertyError("Functions must be a list of function names.")
    if not all(isinstance(name, str) and name for name in functions):
        raise InvalidPropertyError("Functions must contain names only.")
    # CloudFormation passes a number as a string.
    days = str(properties.get("RetentionInDays"))
    if not days.isdecimal() or int(days) == 0:
        raise InvalidPropertyError(f"RetentionInDays must be a number of days, not {days}.")
    return EdgeLogs(tuple(functions), int(days))
