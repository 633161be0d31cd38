"""Watch the deployed distribution: serve changes, and end the process if the emulated AWS stops."""

import asyncio
import hashlib
import sys
from datetime import UTC, datetime
from typing import Final

from aws_emulator.cloudfront.distribution import managed_policies
from aws_emulator.cloudfront.distribution.reader import DistributionReader
from aws_emulator.cloudfront.edge_location import EdgeLocation
from aws_emulator.cloudfront.headers import first
from aws_emulator.cloudfront.model import Distribution
from aws_emulator.cloudfront.settings import Settings
from aws_emulator.cloudfront.transport.http_client import ConnectError, ConnectionPool
from aws_emulator.cloudfront.transport.sigv4 import sign
from aws_emulator.errors import CommandError, UnavailableError

POLL_INTERVAL_S: Final = 1.0
#: Consecutive connection failures (about 4 seconds) that end the process.
_MAX_FAILED_POLLS: Final = 3
_POLL_TIMEOUT_S: Final = 20.0
_API: Final = "/2020-05-31"


class DistributionWatcher:
    """Poll the ETags of the distribution and of its policies."""

    def __init__(
        self,
        deployed: DistributionReader,
        settings: Settings,
        edge: EdgeLocation,
        pool: ConnectionPool,
    ) -> None:
        self._deployed = deployed
        self._settings = settings
        self._edge = edge
        self._pool = pool
        self._id: str | None = settings.distribution
        self._seen: dict[str, str] = {}
        self._turn = 0

    async def deploy(self) -> None:
        """Read the distribution and start to serve it.

        Keeps serving the same distribution ID after the first call. Each ETag is polled before the
        resource is read, so a change during the read has another ETag at the next poll.

        Raises:
            CommandError: The distribution can't be read or isn't supported.
            UnavailableError: A control plane fails or isn't reachable.
        """
        distribution_id = await asyncio.to_thread(self._deployed.find, self._id)
        if distribution_id != self._id:
            self._seen = {}
        paths = list(self._seen) or [_configuration_path(distribution_id)]
        while True:
            polled = {path: await self._poll(path) for path in paths}
            distribution = await asyncio.to_thread(self._deployed.load, distribution_id)
            paths = _paths(distribution)
            if polled.keys() >= set(paths):
                break
        self._id = distribution_id
        self._seen = {path: polled[path] for path in paths}
        self._edge.deploy(distribution)
        for warning in _warnings(distribution):
            print(f"cloudfront: {warning}", file=sys.stderr, flush=True)

    async def run(self) -> None:
        """Poll until cancelled.

        Raises:
            CommandError: The emulated AWS stopped responding.
        """
        failed = 0
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            try:
                if self._edge.distribution is None or await self._has_changed():
                    await self._redeploy()
                failed = 0
            except ConnectError as error:
                failed += 1
                if failed >= _MAX_FAILED_POLLS:
                    raise CommandError(
                        f"The emulated AWS at {self._settings.endpoint.url} stopped responding."
                    ) from error
            except (TimeoutError, ConnectionError, UnavailableError):
                # A busy machine responds late, and a control plane can fail or close connections
                # (patches/region_outage.py): edge locations serve on, and see no change meanwhile.
                # Only a connection that can't be opened means that the emulated AWS stopped.
                failed = 0

    async def _has_changed(self) -> bool:
        """Poll the distribution, and one of the other paths in rotation."""
        (first_path, *others) = self._seen
        self._turn += 1
        paths = [first_path, *([others[self._turn % len(others)]] if others else [])]
        for path in paths:
            if await self._poll(path) != self._seen[path]:
                return True
        return False

    async def _redeploy(self) -> None:
        try:
            await self.deploy()
        except UnavailableError:
            raise
        except CommandError as error:
            # During a deployment the edge location responds 503 until the next successful read.
            if self._edge.distribution is not None:
                print(f"cloudfront: {error}", file=sys.stderr, flush=True)
            self._edge.distribution = None
            # After a reset of the emulated AWS, the next deployment has a new distribution ID.
            self._id = self._settings.distribution

    async def _poll(self, path: str) -> str:
        if path.startswith("arn:"):
            return await asyncio.to_thread(self._deployed.web_acl_document, path)
        endpoint = self._settings.endpoint
        headers = {"host": endpoint.netloc}
        headers |= sign(
            endpoint.credentials,
            "GET",
            path,
            "",
            headers,
            b"",
            region="us-east-1",
            service="cloudfront",
            now=datetime.now(UTC),
        )
        response = await self._pool.send(
            endpoint.address, "GET", path, list(headers.items()), timeout_s=_POLL_TIMEOUT_S
        )
        body = await response.read(_POLL_TIMEOUT_S)
        if response.status >= 500:
            raise UnavailableError(f"{endpoint.url}{path} answered {response.status}.")
        return first(response.headers, "etag") or hashlib.sha256(body).hexdigest()


def _configuration_path(distribution_id: str) -> str:
    return f"{_API}/distribution/{distribution_id}/config"


def _paths(distribution: Distribution) -> list[str]:
    """Return what to poll: configuration, invalidations, custom policies, key groups, web ACL."""
    paths = [_configuration_path(distribution.id)]
    # "Invalidate files": the emulator invalidates the whole cache, whatever paths are listed.
    paths.append(f"{_API}/distribution/{distribution.id}/invalidation")
    for behavior in distribution.behaviors:
        policies = (
            ("cache-policy", behavior.cache_policy, managed_policies.CACHE_POLICIES),
            (
                "origin-request-policy",
                behavior.origin_request_policy,
                managed_policies.ORIGIN_REQUEST_POLICIES,
            ),
            (
                "response-headers-policy",
                behavior.response_headers_policy,
                managed_policies.RESPONSE_HEADERS_POLICIES,
            ),
        )
        paths += [
            f"{_API}/{kind}/{policy.id}/config"
            for kind, policy, managed in policies
            if policy is not None and policy.id and policy.id not in managed
        ]
        paths += [f"{_API}/key-group/{group}/config" for group in behavior.key_groups]
    if distribution.web_acl is not None:
        paths.append(distribution.web_acl.arn)
    return list(dict.fromkeys(paths))


def _warnings(distribution: Distribution) -> list[str]:
    refusals = {
        association.refusal: None
        for behavior in distribution.behaviors
        for association in behavior.associations.values()
        if association.refusal is not None
    }
    return [*distribution.notes, *refusals]
