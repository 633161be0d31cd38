"""What the Region that becomes the home lacks at the moment of a loss, store by store.

A table's replica and a replicated bucket lack the writes of the last moments. A store that isn't
replicated lacks all writes until the lost Region returns: the streams and lakes belong to their
Region, and accounts to the first home.
"""

from collections.abc import Container, Hashable, Mapping
from typing import Any, Final

from tools.dev.system import System
from tools.gameday.figures import Behind, behind
from tools.stack import StackTarget, describe_stack

#: Stores of which another Region has no copy, and what their data waits for.
NOT_REPLICATED: Final = ("events", "sign-ups")
#: Stores that are compared at the move. The lakes are compared at the end of the day.
AT_THE_MOVE: Final = ("bookings", "advisors", "preferences", "pages", "sign-ups")
#: Pages that the day publishes.
PREFIX: Final = "public/gameday/"

type Acknowledged = Mapping[str, Mapping[Any, float]]


def at_the_move(
    lost: float, acknowledged: Acknowledged, present: Mapping[str, Container[Hashable]]
) -> tuple[Behind, ...]:
    """Compare the writes before a loss with what the new home has at the move.

    Args:
        lost: When the home was lost, in seconds.
        acknowledged: Store -> key of a write -> when it was acknowledged, in seconds.
        present: Store -> the keys that the new home has.
    """
    return tuple(
        behind(lost, acknowledged.get(store, {}), present.get(store, ()), store)
        for store in AT_THE_MOVE
    )


def overwritten(acknowledged: Mapping[tuple[str, str], float], stored: str, owner: str) -> set[Any]:
    """Return the writes of an owner that a stored value includes: the newest one and all before.

    Args:
        acknowledged: (owner, value) -> seconds.
        stored: The value that a Region has, or a document with it.
        owner: The owner of the value.
    """
    own = sorted((at, key) for key, at in acknowledged.items() if key[0] == owner)
    newest = [at for at, (_, value) in own if f'"{value}"' in stored]
    return {key for at, key in own if newest and at <= newest[-1]}


def present_in(running: System, region: str, acknowledged: Acknowledged) -> dict[str, Any]:
    """Return the keys of acknowledged writes in a Region's copies of the stores.

    Raises:
        ClientError: AWS refused a call.
    """
    stage = running.target.stage
    dynamodb = running.clients("dynamodb", region)

    def items(table: str) -> list[dict[str, Any]]:
        pages = dynamodb.get_paginator("scan").paginate(TableName=f"meridian-{stage}-{table}")
        return [item for page in pages for item in page["Items"]]

    appointments = [(str(it["pk"]["S"]), str(it["sk"]["S"]), it) for it in items("appointments")]
    preferences: set[Any] = set()
    for profile in items("profiles"):
        owner = str(profile["pk"]["S"]).removeprefix("STUDENT#")
        stored = profile.get("preferences", {}).get("S", "")
        preferences |= overwritten(acknowledged.get("preferences", {}), stored, owner)
    return {
        "bookings": {
            (pk.removeprefix("ADVISOR#"), sk.removeprefix("SLOT#"))
            for pk, sk, it in appointments
            if sk.startswith("SLOT#") and "student" in it
        },
        "advisors": {sk.removeprefix("ADVISOR#") for pk, sk, _ in appointments if pk == "ADVISORS"},
        "preferences": preferences,
        "pages": keys_in(running, region),
    }


def portal_bucket(running: System, region: str) -> str:
    """Return the bucket of the pages in a Region: the home's, or its copy."""
    target = StackTarget(running.target.endpoint, region, running.target.stage)
    outputs = describe_stack(target).outputs
    return outputs["PortalBucket" if region == running.regions[0] else "PortalCopyBucket"]


def keys_in(running: System, region: str) -> set[str]:
    """Return the keys of the pages that a Region's bucket has."""
    pages = running.clients("s3", region).get_paginator("list_objects_v2")
    listed = pages.paginate(Bucket=portal_bucket(running, region), Prefix=PREFIX)
    return {str(it["Key"]) for page in listed for it in page.get("Contents", [])}
