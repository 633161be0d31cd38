"""Values that `make deploy` looks up for the optional course catalogue."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.request import urlopen

from aws_emulator.errors import CommandError
from tools.deployment.collector import Clients
from tools.deployment.environments import Environment

#: The parameter with the Region's prefix list, whose addresses the load balancer admits.
PREFIX_LIST: Final = "CloudFrontPrefixList"
#: The parameter with the public keys of the user pool. The catalogue's network has no way to them.
STAFF_KEYS: Final = "StaffKeys"
#: Keys before the user pool exists: no staff's token is valid.
NO_KEYS: Final = '{"keys":[]}'
_LIST_NAME: Final = "com.amazonaws.global.cloudfront.origin-facing"
_TIMEOUT_S: Final = 30

#: Returns the content of a URL.
type Fetch = Callable[[str], bytes]


def is_wanted(environment: Environment) -> bool:
    """Return whether an environment has the catalogue (template.yaml, HasCatalogue)."""
    return (
        environment.is_serving
        and environment.parameter("Catalogue") == "true"
        and (environment.is_home or environment.parameter("GlobalDatabase") == "true")
    )


def needed_values(environment: Environment, pool: str, clients: Clients) -> dict[str, str]:
    """Return the parameters of an environment with the catalogue; none without it.

    Args:
        environment: The environment to deploy.
        pool: The ID of the user pool; '' before its creation.
        clients: Makes a client for a service and a Region.

    Raises:
        ClientError: A call failed.
        CommandError: The Region has no such list, or the keys can't be read.
    """
    if not is_wanted(environment):
        return {}
    keys = staff_keys(pool, clients) if pool else NO_KEYS
    return {PREFIX_LIST: prefix_list(environment.region, clients), STAFF_KEYS: keys}


def prefix_list(region: str, clients: Clients) -> str:
    """Return the ID of the Region's list with the addresses from which CloudFront calls origins.

    Raises:
        ClientError: The call failed.
        CommandError: The Region has no such list.
    """
    lists = clients("ec2", region).describe_managed_prefix_lists(
        Filters=[{"Name": "prefix-list-name", "Values": [_LIST_NAME]}]
    )["PrefixLists"]
    if not lists:
        raise CommandError(
            f"{region} has no prefix list {_LIST_NAME}, so the catalogue's load balancer can't "
            "tell CloudFront from others. Set Catalogue=false there."
        )
    return str(lists[0]["PrefixListId"])


def staff_keys(pool: str, clients: Clients, fetch: Fetch | None = None) -> str:
    """Return the JWK set of a user pool as compact text, in the order of the keys' IDs.

    Raises:
        CommandError: The keys can't be read.
    """
    region = pool.partition("_")[0]
    endpoint = str(clients("cognito-idp", region).meta.endpoint_url).rstrip("/")
    url = f"{endpoint}/{pool}/.well-known/jwks.json"
    try:
        document = json.loads((fetch or _fetch)(url))
        keys = sorted(document["keys"], key=_key_id)
    except (OSError, ValueError, LookupError, TypeError) as problem:
        raise CommandError(
            f"The public keys of the user pool {pool} can't be read at {url}: {problem}. Check the "
            "connection, and deploy again."
        ) from problem
    return json.dumps({"keys": keys}, separators=(",", ":"))


def _key_id(key: Mapping[str, Any]) -> str:
    return str(key["kid"])


def _fetch(url: str) -> bytes:
    with urlopen(url, timeout=_TIMEOUT_S) as response:
        content: bytes = response.read()
        return content
