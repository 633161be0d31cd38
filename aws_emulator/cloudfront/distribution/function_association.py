"""Check a Lambda@Edge function association, as CloudFront does when a distribution is deployed."""

import re
from collections.abc import Mapping
from typing import Any, Final

_VERSION: Final = re.compile(r"arn:aws:lambda:(?P<region>[a-z0-9-]+):\d{12}:function:[^:]+:\d+")
# Quotas on Lambda@Edge: timeout in seconds, memory in MB, and zipped package size in bytes, by
# event. Newer pages state higher values; the emulator keeps the stricter ones.
_QUOTAS: Final = {
    "viewer": (5, 128, 1024 * 1024),
    "origin": (30, 10_240, 50 * 1024 * 1024),
}


def check_association(
    event_type: str,
    arn: str,
    configuration: Mapping[str, Any] | None,
    trust: Mapping[str, Any] | None = None,
) -> str | None:
    """Return why CloudFront rejects the association, or None if it accepts it.

    `configuration` is the response of GetFunctionConfiguration for the version: None checks the ARN
    only, an empty mapping means that the version doesn't exist. `trust` is the trust policy of its
    execution role. Source: "Restrictions on Lambda@Edge".
    """
    match = _VERSION.fullmatch(arn)
    if match is None:
        # "You must use a numbered version of the Lambda function, not $LATEST or aliases."
        return (
            f"The {event_type} function {arn} is not a numbered version. Associate a published "
            "version, such as !Ref Function.Version."
        )
    if match["region"] != "us-east-1":
        # The page on Regions: "The Lambda function must be in the US East (N. Virginia) Region."
        return f"The {event_type} function {arn} is not in us-east-1."
    if configuration is None:
        return None
    if not configuration:
        return f"The {event_type} function {arn} does not exist."
    problems = [*_features(configuration), *_over_quota(event_type, configuration)]
    problems += filter(None, [check_role(trust)])
    if not problems:
        return None
    return f"Lambda@Edge rejects the {event_type} function {arn}: {'; '.join(problems)}."


def check_role(trust: Any) -> str | None:
    """Return why Lambda@Edge rejects an execution role, or None if it accepts it.

    `trust` is the role's trust policy.

    "The IAM execution role associated with the Lambda function must allow the service principals
    lambda.amazonaws.com and edgelambda.amazonaws.com to assume the role."
    """
    statements = trust.get("Statement", []) if isinstance(trust, Mapping) else []
    statements = statements if isinstance(statements, list) else [statements]
    trusted: set[str] = set()
    for statement in statements:
        services = (statement.get("Principal") or {}).get("Service", [])
        if statement.get("Effect") == "Allow":
            trusted |= set(services if isinstance(services, list) else [services])
    missing = {"lambda.amazonaws.com", "edgelambda.amazonaws.com"} - trusted
    return f"its role does not trust {' and '.join(sorted(missing))}" if missing else None


def _features(configuration: Mapping[str, Any]) -> list[str]:
    # "The following Lambda features are not supported by Lambda@Edge".
    variables = (configuration.get("Environment") or {}).get("Variables")
    checks = {
        "it has environment variables": variables,
        "it has layers": configuration.get("Layers"),
        "it is attached to a VPC": (configuration.get("VpcConfig") or {}).get("SubnetIds"),
        "it has a dead letter queue": (configuration.get("DeadLetterConfig") or {}).get(
            "TargetArn"
        ),
        "X-Ray tracing is active": (configuration.get("TracingConfig") or {}).get("Mode")
        == "Active",
        "it is a container image": configuration.get("PackageType") == "Image",
        "its architecture is not x86_64": "arm64" in (configuration.get("Architectures") or []),
        "it has more than 512 MB of ephemeral storage": (
            configuration.get("EphemeralStorage") or {}
        ).get("Size", 512)
        > 512,
        "its runtime is neither Python nor Node.js": not str(
            configuration.get("Runtime", "")
        ).startswith(("python", "nodejs")),
    }
    return [problem for problem, applies in checks.items() if applies]


def _over_quota(event_type: str, configuration: Mapping[str, Any]) -> list[str]:
    seconds, memory, code = _QUOTAS[event_type.partition("-")[0]]
    checks = {
        f"its timeout exceeds {seconds} s": configuration.get("Timeout", 3) > seconds,
        f"its memory exceeds {memory} MB": configuration.get("MemorySize", 128) > memory,
        f"its package exceeds {code:,} bytes": configuration.get("CodeSize", 0) > code,
    }
    return [problem for problem, exceeds in checks.items() if exceeds]
