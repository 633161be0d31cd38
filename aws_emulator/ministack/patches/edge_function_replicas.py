"""Replicate a function version to a Region: POST /_local/function-replica?arn=ARN&region=REGION.

Gap: MiniStack has no Lambda@Edge. A version can be invoked in its own Region only, so the edge
functions of a viewer in London run in us-east-1, and stop with it.
Seen in: ministack 1.5.33, lambda_svc.py.
Delete when: associating a version with a distribution creates replicas.

"Lambda@Edge ... replicates your function to Regions" when it is associated, as `us-east-1.<name>`;
the replica's invocations need no call to the function's own Region. The response is the replica's
ARN. A version doesn't change, so a second call has no effect.
"""

import re
from collections import defaultdict
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi, Query
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols
from aws_emulator.ministack.workers import DEFAULT_REGION

PATH: Final = "/_local/function-replica"
#: (account, Region, name) of a function -> the Regions of its replicas.
_replica_regions: Final[defaultdict[tuple[str, str, str], set[str]]] = defaultdict(set)
_VERSION: Final = re.compile(r"arn:aws:lambda:([a-z0-9-]+):(\d{12}):function:([^:]+):(\d+)")


def install(_settings: Settings, control: ControlApi, _application: Any) -> None:
    """Add the control, which copies the record of a version into another Region."""
    service = Symbols("ministack.services.lambda_svc", "_functions")

    def replicate(query: Query) -> dict[str, str]:
        match, region = _VERSION.fullmatch(query.get("arn", "")), query.get("region")
        if match is None or not region:
            raise ValueError("expected arn=<ARN of a function version> and region=<Region>")
        home, account, name, version = match.groups()
        function = service["_functions"].get_scoped(account, home, name) or {}
        record = function.get("versions", {}).get(version)
        if record is None:
            raise ValueError(f"{home} has no version {version} of the function {name!r}.")
        replica_name = f"{home}.{name}"
        arn = f"arn:aws:lambda:{region}:{account}:function:{replica_name}"
        replica = service["_functions"].get_scoped(account, region, replica_name)
        if replica is None:
            config = _renamed(function["config"], replica_name, arn)
            replica = {**function, "config": config, "versions": {}, "aliases": {}}
            service["_functions"].set_scoped(account, region, replica_name, replica)
        config = _renamed(record["config"], replica_name, f"{arn}:{version}")
        _replica_regions[account, home, name].add(region)
        replica["versions"].setdefault(version, {**record, "config": config})
        return {"arn": f"{arn}:{version}"}

    control.add("POST", PATH, replicate)


def replicas_of(account: str, query: Query) -> list[Query]:
    """Return queries for the replicas of the function in `query`, one for each of their Regions."""
    home, name = query.get("region", DEFAULT_REGION), query.get("function", "")
    regions = sorted(_replica_regions[account, home, name])
    return [{"region": region, "function": f"{home}.{name}"} for region in regions]


def _renamed(config: dict[str, Any], name: str, arn: str) -> dict[str, Any]:
    """Return the configuration of a replica: Lambda@Edge writes to a log group of its name."""
    logging = {**(config.get("LoggingConfig") or {}), "LogGroup": f"/aws/lambda/{name}"}
    return {**config, "FunctionName": name, "FunctionArn": arn, "LoggingConfig": logging}
