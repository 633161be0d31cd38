"""The limits of settings and requests of AWS services, as their API references state them. Pure.

Each function returns the error code and the message of a refused request, or None.
"""

import json
import math
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final
from zoneinfo import available_timezones

type Refused = tuple[str, str] | None

_VALIDATION: Final = "ValidationException"
# EventBridge Scheduler, CreateSchedule: "Pattern: ^[0-9a-zA-Z-_.]+$", up to 64 characters.
_SCHEDULE_NAME: Final = re.compile(r"[0-9a-zA-Z_.-]{1,64}")
_CLIENT_TOKEN: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# EventBridge Scheduler User Guide, "Schedule types".
_SCHEDULE: Final = re.compile(
    r"rate\([1-9]\d* (?:minutes?|hours?|days?)\)|cron\(\S+(?: \S+){5}\)"
    r"|at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)"
)
#: CreateSchedule, FlexibleTimeWindow: 1 to 1,440 minutes.
_MAX_WINDOW_MINUTES: Final = 1_440
# AWS WAF, CreateWebACL: "Pattern: ^[\w\-]+$", up to 128 characters.
_ACL_NAME: Final = re.compile(r"[\w-]{1,128}", re.ASCII)
#: Services that can have the log of a web ACL (LoggingConfiguration, LogDestinationConfigs).
_LOG_SERVICES: Final = frozenset({"firehose", "logs", "s3"})
#: "You can specify only the following fields for redaction" (LoggingConfiguration).
_REDACTED: Final = frozenset({"Method", "QueryString", "SingleHeader", "UriPath"})
#: AWS WAF, RateBasedStatement, Limit.
_RATE_LIMITS: Final = (10, 2_000_000_000)
#: AWS WAF, CustomResponseBody, Content: "Maximum length of 10240".
_CUSTOM_BODY: Final = 10_240
#: AWS KMS, Sign and Encrypt, Message and Plaintext.
_MAX_MESSAGE_BYTES: Final = 4_096
#: Amazon SNS, Publish: "Subjects must be ASCII text ... Can't include line breaks or control
#: characters. Must be less than 100 characters long."
_MAX_SUBJECT: Final = 99
# Amazon SNS, CreateTopic.
_TOPIC_NAME: Final = re.compile(r"[\w-]{1,256}|[\w-]{1,251}\.fifo", re.ASCII)
# Amazon SQS, CreateQueue.
_QUEUE_NAME: Final = re.compile(r"[\w-]{1,80}|[\w-]{1,75}\.fifo", re.ASCII)
#: Amazon SQS, ReceiveMessage and SendMessage: parameter -> the greatest value, in seconds.
_MAX_TIMES_S: Final = {"DelaySeconds": 900, "VisibilityTimeout": 43_200, "WaitTimeSeconds": 20}
#: "Amazon SQS policy quotas": bytes and statements of a policy, actions of a statement.
_MAX_POLICY_BYTES: Final = 8_192
_MAX_STATEMENTS: Final = 20
_MAX_ACTIONS: Final = 7
#: Systems Manager, PutParameter: "Standard parameters have a value limit of 4 KB".
_MAX_PARAMETER: Final = 4_096
#: Secrets Manager quotas: "Secret value ... 65,536 bytes".
_MAX_SECRET_BYTES: Final = 65_536
# CloudWatch Logs, CreateLogGroup.
_GROUP_NAME: Final = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
# CloudWatch, PutMetricAlarm.
_OPERATORS: Final = {
    *("GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold"),
    *("LessThanOrEqualToThreshold", "LessThanLowerOrGreaterThanUpperThreshold"),
    *("LessThanLowerThreshold", "GreaterThanUpperThreshold"),
}
_MISSING_DATA: Final = {"breaching", "notBreaching", "ignore", "missing"}
#: "If the period is 1 hour or longer, seven days; otherwise one day", in seconds.
_WEEK_S: Final = 604_800
_DAY_S: Final = 86_400
#: CloudWatch, PutMetricData: "no more than 1000 different metrics"; "up to 30 dimensions".
_MAX_METRICS: Final = 1_000
_MAX_DIMENSIONS: Final = 30
#: "Data points with time stamps ... two weeks before the current date".
_MAX_AGE_S: Final = 14 * _DAY_S


def schedule(name: str, settings: Mapping[str, Any]) -> Refused:
    """Check a schedule of EventBridge Scheduler."""
    expression = str(settings.get("ScheduleExpression", ""))
    window = settings.get("FlexibleTimeWindow") or {}
    if not _SCHEDULE_NAME.fullmatch(name):
        return _VALIDATION, f"Invalid Schedule Name {name}."
    if not _SCHEDULE.fullmatch(expression):
        return _VALIDATION, f"Invalid Schedule Expression {expression}."
    zone = settings.get("ScheduleExpressionTimezone")
    # A machine without a time zone database knows none of them.
    if zone and (zones := available_timezones()) and zone not in zones:
        return _VALIDATION, f"Invalid Schedule Expression Timezone {zone}."
    if settings.get("ActionAfterCompletion", "NONE") not in {"NONE", "DELETE"}:
        return _VALIDATION, "ActionAfterCompletion must be NONE or DELETE."
    if not _CLIENT_TOKEN.fullmatch(str(settings.get("ClientToken", "-"))):
        return (
            _VALIDATION,
            "ClientToken must have 1 to 64 letters, digits, hyphens and underscores.",
        )
    minutes = window.get("MaximumWindowInMinutes")
    if window.get("Mode") == "FLEXIBLE" and not 1 <= int(minutes or 0) <= _MAX_WINDOW_MINUTES:
        return _VALIDATION, f"MaximumWindowInMinutes must be from 1 to {_MAX_WINDOW_MINUTES}."
    return None


def web_acl(settings: Mapping[str, Any], region: str) -> Refused:
    """Check a web ACL of AWS WAF."""
    if not _ACL_NAME.fullmatch(str(settings.get("Name", ""))):
        return "WAFInvalidParameterException", "Error reason: The name isn't valid, field: NAME"
    if settings.get("Scope") == "CLOUDFRONT" and region != "us-east-1":
        return (
            "WAFInvalidParameterException",
            "Error reason: The scope is not valid., field: SCOPE_VALUE, parameter: CLOUDFRONT",
        )
    rules = settings.get("Rules") or []
    priorities = [it.get("Priority") for it in rules]
    if len(set(priorities)) != len(priorities):
        return "WAFInvalidParameterException", "Error reason: The priorities aren't unique."
    least, most = _RATE_LIMITS
    for limit in _rate_limits(rules):
        if not least <= limit <= most:
            return "WAFInvalidParameterException", f"Error reason: {limit}, field: RATE_LIMIT"
    return _custom_responses(rules, settings)


def _custom_responses(rules: Iterable[Mapping[str, Any]], acl: Mapping[str, Any]) -> Refused:
    """Check the custom responses of rules and of the default action."""
    bodies = acl.get("CustomResponseBodies") or {}
    if any(not 1 <= len(it.get("Content", "")) <= _CUSTOM_BODY for it in bodies.values()):
        return "WAFInvalidParameterException", "Error reason: The content isn't valid."
    actions = (*(it.get("Action") or {} for it in rules), acl.get("DefaultAction") or {})
    for action in actions:
        response = (action.get("Block") or {}).get("CustomResponse") or {}
        key = response.get("CustomResponseBodyKey")
        names = [str(it["Name"]).lower() for it in response.get("ResponseHeaders") or []]
        if key and key not in bodies:
            return "WAFInvalidParameterException", f"Error reason: no body has the key {key}."
        if "content-type" in names or len(set(names)) != len(names):
            return "WAFInvalidParameterException", "Error reason: The headers aren't valid."
    return None


def web_acl_logging(settings: Mapping[str, Any], region: str) -> Refused:
    """Check where AWS WAF writes the log of a web ACL, and the fields that it leaves out."""
    destinations = settings.get("LogDestinationConfigs") or []
    # "You can define one logging destination per web ACL."
    if len(destinations) != 1:
        return "WAFInvalidParameterException", "Error reason: A web ACL has one log destination."
    _, _, service, its_region, _, resource = (f"{destinations[0]}:::::".split(":", 5))[:6]
    name = re.split("[:/]", resource.removeprefix("log-group:").removeprefix("deliverystream/"))[0]
    # "The name that you give the destination must start with aws-waf-logs-."
    if service not in _LOG_SERVICES or not name.startswith("aws-waf-logs-"):
        problem = f"The ARN isn't valid., field: LOG_DESTINATION, parameter: {name}"
        return "WAFInvalidParameterException", f"Error reason: {problem}"
    # "Configure the log group … in the same Region as the web ACL"; a bucket's ARN has no Region.
    if its_region not in ("", region):
        return "WAFInvalidParameterException", "Error reason: The log is in another Region."
    fields = {name for it in settings.get("RedactedFields") or [] for name in it}
    if not fields <= _REDACTED:
        return "WAFInvalidParameterException", "Error reason: The field can't be redacted."
    return None


def _rate_limits(rules: Iterable[Mapping[str, Any]]) -> list[int]:
    statements = (it.get("Statement", {}).get("RateBasedStatement") for it in rules)
    return [int(it["Limit"]) for it in statements if it]


def signed_message(size: int, message_type: str) -> Refused:
    """Check the message of AWS KMS's Sign."""
    if message_type == "RAW" and size > _MAX_MESSAGE_BYTES:
        return _VALIDATION, f"Message must have at most {_MAX_MESSAGE_BYTES} bytes."
    return None


def plaintext(size: int) -> Refused:
    """Check the plaintext of AWS KMS's Encrypt."""
    if size > _MAX_MESSAGE_BYTES:
        return _VALIDATION, f"Plaintext must have at most {_MAX_MESSAGE_BYTES} bytes."
    return None


def subject(text: str | None) -> Refused:
    """Check the subject of a message of Amazon SNS."""
    if text and (len(text) > _MAX_SUBJECT or not text.isascii() or not text.isprintable()):
        return "InvalidParameter", "Invalid parameter: Subject"
    return None


def topic_name(name: str) -> Refused:
    """Check the name of a topic."""
    return None if _TOPIC_NAME.fullmatch(name) else ("InvalidParameter", "Invalid parameter: Name")


def queue_name(name: str) -> Refused:
    """Check the name of a queue."""
    if _QUEUE_NAME.fullmatch(name):
        return None
    return (
        "InvalidParameterValue",
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    )


def seconds(request: Mapping[str, Any]) -> Refused:
    """Check the times of a request to Amazon SQS, in seconds."""
    for name, greatest in _MAX_TIMES_S.items():
        value = request.get(name)
        if value not in (None, "") and not 0 <= int(value) <= greatest:
            reason = f"Reason: Must be >= 0 and <= {greatest}, if provided."
            return (
                "InvalidParameterValue",
                f"Value {value} for parameter {name} is invalid. {reason}",
            )
    return None


def queue_policy(policy: str | Mapping[str, Any]) -> Refused:
    """Check the policy of a queue, JSON or an object; an empty one removes the policy."""
    if not policy:
        return None
    text = policy if isinstance(policy, str) else json.dumps(policy)
    statements = _listed(json.loads(text).get("Statement"))
    if len(text.encode()) > _MAX_POLICY_BYTES or len(statements) > _MAX_STATEMENTS:
        return "OverLimit", "The submitted policy is over the quotas of policies."
    for statement in statements:
        actions = _listed(statement.get("Action"))
        if len(actions) > _MAX_ACTIONS:
            reason = f"{len(actions)} actions were found in a statement from the submitted policy"
            return "OverLimit", f"{reason}, max allowed is {_MAX_ACTIONS}"
        # "Each policy must cover only a single queue" (Special Information for SQS Policies).
        if len(_listed(statement.get("Resource"))) != 1:
            reason = "Policy statement must apply to a single resource!"
            return "InvalidAttributeValue", f"Invalid value for the parameter Policy. {reason}"
    return None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def parameter(request: Mapping[str, Any]) -> Refused:
    """Check a standard parameter of Systems Manager."""
    is_standard = request.get("Tier", "Standard") == "Standard"
    if is_standard and len(str(request.get("Value", "")).encode()) > _MAX_PARAMETER:
        return (
            _VALIDATION,
            f"Standard tier parameters support a maximum of {_MAX_PARAMETER} characters.",
        )
    return None


def secret(request: Mapping[str, Any]) -> Refused:
    """Check the value of a secret of Secrets Manager."""
    if len(str(request.get("SecretString") or "").encode()) > _MAX_SECRET_BYTES:
        return _VALIDATION, f"SecretString must have at most {_MAX_SECRET_BYTES} bytes."
    return None


def log_group(request: Mapping[str, Any]) -> Refused:
    """Check the name of a log group."""
    if _GROUP_NAME.fullmatch(str(request.get("logGroupName", ""))):
        return None
    return "InvalidParameterException", "1 validation error detected: logGroupName"


def rule(request: Mapping[str, Any]) -> Refused:
    """Check that a rule of EventBridge has a pattern or a schedule."""
    if request.get("EventPattern") or request.get("ScheduleExpression"):
        return None
    reason = "Parameter(s) EventPattern or ScheduleExpression must be specified."
    return _VALIDATION, reason


def metric_queries(request: Mapping[str, Any]) -> Refused:
    """Check the periods of GetMetricData (API reference, MetricStat): "Minimum value of 1"."""
    for query in request.get("MetricDataQueries") or ():
        if int((query.get("MetricStat") or {}).get("Period", 60)) < 1:
            return "ValidationError", "Period must be greater than or equal to 1."
    return None


def alarm(settings: Mapping[str, Any]) -> Refused:
    """Check an alarm of CloudWatch; of one on Metrics, only the common settings."""
    periods = int(settings.get("EvaluationPeriods") or 0)
    datapoints = int(settings.get("DatapointsToAlarm") or 1)
    if settings.get("ComparisonOperator") not in _OPERATORS:
        return "ValidationError", "ComparisonOperator isn't one of the enum values."
    if settings.get("TreatMissingData") not in {None, *_MISSING_DATA}:
        return "ValidationError", "TreatMissingData isn't one of the enum values."
    if not 1 <= datapoints <= max(periods, 1):
        return "ValidationError", "DatapointsToAlarm must be at most EvaluationPeriods."
    if settings.get("Metrics"):
        return None
    if settings.get("Statistic") and settings.get("ExtendedStatistic"):
        return "InvalidParameterCombination", "Specify either Statistic or ExtendedStatistic."
    period = int(settings.get("Period") or 60)
    if period not in (10, 20, 30) and (period < 60 or period % 60):
        return "ValidationError", "Period must be 10, 20, 30 or a multiple of 60."
    if periods * period > (_WEEK_S if period >= 3_600 else _DAY_S):
        return "ValidationError", "Metrics cannot be checked across more than a day (or a week)."
    return None


def metric_data(data: list[Mapping[str, Any]], now: float | None = None) -> Refused:
    """Check the data of a PutMetricData. `now` is the time in seconds since the epoch."""
    if len(data) > _MAX_METRICS:
        return (
            "InvalidParameterValue",
            f"The collection MetricData must have at most {_MAX_METRICS}.",
        )
    oldest = (time.time() if now is None else now) - _MAX_AGE_S
    for datum in data:
        value, stamp = datum.get("Value"), datum.get("Timestamp")
        if len(datum.get("Dimensions") or []) > _MAX_DIMENSIONS:
            return (
                "InvalidParameterValue",
                f"Dimensions must have at most {_MAX_DIMENSIONS} members.",
            )
        # JSON has NaN and the infinities as strings.
        if value is not None and not math.isfinite(float(value)):
            return "InvalidParameterValue", "The value NaN or infinite isn't supported."
        if isinstance(stamp, int | float) and stamp < oldest:
            return "InvalidParameterValue", "The timestamp is over two weeks in the past."
    return None
