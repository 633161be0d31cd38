"""Metrics of the servers beside MiniStack, with the names and dimensions of AWS.

A thread sends them to CloudWatch in the emulator, so that a request doesn't wait. Sources: Amazon
CloudFront, "Types of metrics for CloudFront"; API Gateway, "Amazon API Gateway dimensions and
metrics"; Lambda, "Types of metrics for Lambda functions".
"""

import json
import queue
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

#: CloudFront's metrics are in this Region, whichever edge location served a request.
EDGE_REGION: Final = "us-east-1"
_TIMEOUT_S: Final = 5
#: The most metrics of one request to the emulator.
_MAX_BATCH: Final = 2_000

type _Metric = dict[str, Any]


class Metrics:
    """Queue metrics, and send them from a thread. Those that can't be sent are reported once."""

    def __init__(self, endpoint: str, account: str = "000000000000") -> None:
        """`endpoint` is the URL of the emulated AWS."""
        self._url = f"{endpoint}/_local/metrics?account={account}"
        self._queued: queue.SimpleQueue[_Metric | None] = queue.SimpleQueue()
        self._reported = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(
        self,
        region: str,
        namespace: str,
        values: Mapping[str, float],
        dimensions: Mapping[str, str],
        unit: str = "Count",
    ) -> None:
        """Queue one value of each metric in `values`, with the current time."""
        now = time.time()
        for name, value in values.items():
            self._queued.put(
                {
                    "region": region,
                    "namespace": namespace,
                    "name": name,
                    "values": [value],
                    "unit": unit,
                    "dimensions": dict(dimensions),
                    "time_s": now,
                }
            )

    def close(self) -> None:
        """Send the queued metrics and stop the thread."""
        self._queued.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            taken = [self._queued.get()]
            while not self._queued.empty() and len(taken) < _MAX_BATCH:
                taken.append(self._queued.get())
            is_open = None not in taken
            self._send([it for it in taken if it is not None])

    def _send(self, metrics: list[_Metric]) -> None:
        if not metrics:
            return
        body = json.dumps(metrics).encode()
        request = urllib.request.Request(self._url, body, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
                pass
        except (OSError, urllib.error.URLError) as error:
            if not self._reported:
                self._reported = True
                print(f"can't send {len(metrics)} metrics: {error}", file=sys.stderr, flush=True)


def of_distribution(metrics: Metrics, distribution: str, status: int, size: int) -> None:
    """Queue the metrics of a response of CloudFront; error rates are in percent."""
    dimensions = {"DistributionId": distribution, "Region": "Global"}
    add = metrics.add
    add(EDGE_REGION, "AWS/CloudFront", {"Requests": 1}, dimensions, "None")
    add(EDGE_REGION, "AWS/CloudFront", {"BytesDownloaded": size}, dimensions, "None")
    rates = {
        "4xxErrorRate": 100.0 * (400 <= status < 500),
        "5xxErrorRate": 100.0 * (status >= 500),
        "TotalErrorRate": 100.0 * (status >= 400),
    }
    add(EDGE_REGION, "AWS/CloudFront", rates, dimensions, "Percent")


def of_api(metrics: Metrics, region: str, api: str, status: int, latency_ms: float) -> None:
    """Queue the metrics of a response of API Gateway, by the API's name."""
    dimensions = {"ApiName": api}
    counts = {"4XXError": 400 <= status < 500, "5XXError": status >= 500}
    metrics.add(region, "AWS/ApiGateway", {"Count": 1, **counts}, dimensions)
    metrics.add(region, "AWS/ApiGateway", {"Latency": latency_ms}, dimensions, "Milliseconds")
