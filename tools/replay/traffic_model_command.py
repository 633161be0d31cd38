"""Measure the traffic statistics of a log, or print a generated log.

python -m tools.replay.traffic_model_command [--fit LOG] [--seed N] [--requests N]
"""

import argparse
import sys
from collections.abc import Sequence

from tools.cli import exit_code
from tools.replay.combined_log_format import Request
from tools.replay.log_source import find_log
from tools.replay.traffic_model import REQUESTS, SEED, generate_log
from tools.replay.traffic_statistics import (
    STATISTICS_FILE,
    TrafficStatistics,
    load_statistics,
    measure_traffic,
    save_statistics,
)


def _measure(log: str) -> TrafficStatistics:
    source = find_log(log)
    entries = (source.log_format.parse(line) for line in source.open())
    requests = [entry for entry in entries if isinstance(entry, Request)]
    return measure_traffic(requests, {"sha256": source.digest, "lines": source.lines}, source.site)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the statistics of a log, or print a generated log."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.replay.traffic_model_command", description=__doc__
    )
    parser.add_argument(
        "--fit", metavar="LOG", help="measure the statistics of a log (path or URL)"
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    options = parser.parse_args(arguments)
    return exit_code(lambda: _measure_or_print(options))


def _measure_or_print(options: argparse.Namespace) -> int:
    if options.fit:
        save_statistics(_measure(options.fit))
        print(f"Wrote the statistics to {STATISTICS_FILE}.")
    else:
        lines = generate_log(load_statistics(), seed=options.seed, requests=options.requests)
        sys.stdout.writelines(lines)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
