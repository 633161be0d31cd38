"""Generate the prices of the operators' page from `cost.py` and `cost_prices.py`.

`python -m benchmarks.cost_page` writes web/members/app/prices.json; a test compares the file. The
page multiplies each rate by a count of CloudWatch, which `GET /api/operator/flow/…` names.
`billedBytes` is the greater of a stream's bytes and 1 KB for each record.
"""

import json
from pathlib import Path
from typing import Any, Final

from benchmarks import cost, cost_live, school_costs
from benchmarks.capacity_charges import Layout, measured_request, monthly_dollars
from benchmarks.cost_prices import CLOUDFRONT, GB, MILLION, MONTH_HOURS, PRICES, REFERENCE
from tools.paths import ROOT
from tools.stack import EDGE_REGION

PAGE: Final = ROOT / "web" / "members" / "app" / "prices.json"
#: A further Region, for the charges that each one adds.
FURTHER_REGION: Final = "ap-south-1"
#: The events of a request whose sizes the edge's charges use.
EVENTS_PER_REQUEST: Final = 10
_FREE_RETENTION_HOURS: Final = 24
_EDGE_PARTS: Final = ("CloudFront", "AWS WAF", "Lambda@Edge", "preflights", "logs")


def prices() -> dict[str, Any]:
    """Return the month of the prices, and rates in USD.

    `events` are components of an event's way to the lake, `school` the other ones; each has a rate
    for each count. `fixed` and `region` are a month's charges of the home and of a further Region.
    """
    deployed = cost.components()
    measured = measured_request(EVENTS_PER_REQUEST)
    price = {name: known.dollars for name, known in PRICES.items()}
    parts = cost.dollars(EVENTS_PER_REQUEST, measured, deployed, CLOUDFRONT[REFERENCE])
    edge = {name: parts[name] * EVENTS_PER_REQUEST / MILLION for name in _EDGE_PARTS}
    live = cost_live.units(cost.EVENTS_PER_INVOCATION)
    retained_hours = max(0, deployed.retention_hours - _FREE_RETENTION_HOURS)
    events = {
        "CloudFront": {"records": edge["CloudFront"] + edge["preflights"]},
        "AWS WAF": {"records": edge["AWS WAF"]},
        "Lambda@Edge": {"records": edge["Lambda@Edge"]},
        "Logs of the edge": {"records": edge["logs"]},
        "Kinesis": {
            "billedBytes": price["kinesis_in"] + retained_hours * price["kinesis_retention"],
            "bytes": price["kinesis_out"],
        },
        "Stream function": {
            "batches": price["lambda_request"]
            + price["xray_trace"]
            + cost.PROCESSOR_LOG_BYTES * price["log_byte"],
            # The metric has milliseconds.
            "duration": deployed.processor_gb * price["lambda_gb_second"] / 1_000,
        },
        "Live counters": {
            "batches": live.writes * price["dynamodb_write"] + live.reads * price["dynamodb_read"]
        },
        "Data lake": {"objects": price["s3_put"], "written": price["s3_gb_month"] / GB},
    }
    account = school_costs.dollars(
        school_costs.OUR_CALLS, transitions=0, invocations=len(school_costs.OUR_FUNCTIONS)
    )
    email = school_costs.PRICES["email"]
    school = {
        "School API": {"requests": price["api_request"]},
        "Accounts": {"accounts": account / MILLION - school_costs.PRICES["api_request"] - email},
        "Emails": {"sent": email},
    }
    one = monthly_dollars(Layout([EDGE_REGION]))
    two = monthly_dollars(Layout([EDGE_REGION, FURTHER_REGION]))
    return {
        "months": sorted({it.month for it in PRICES.values()}),
        "monthHours": MONTH_HOURS,
        "events": events,
        "school": school,
        "fixed": {name: amount for name, amount in one.items() if amount},
        "region": {name: two[name] - one[name] for name in two if two[name] != one[name]},
    }


def text() -> str:
    """Return the file's text. Ten digits: sums of floats differ in the last ones."""
    rounded = json.loads(json.dumps(prices()), parse_float=lambda it: float(f"{float(it):.10g}"))
    return json.dumps(rounded, indent=2) + "\n"


def write(path: Path = PAGE) -> None:
    """Write the file."""
    path.write_text(text())


if __name__ == "__main__":
    write()
