"""Watching the deployment: a changed distribution is served, a lost emulator ends the process."""

import asyncio
import hashlib
import sys
from datetime import UTC, datetime

from aws_emulator.cloudfront import managed
from aws_emulator.cloudfront.client import Pool
from aws_emulator.cloudfront.distribution import Deployed
from aws_emulator.cloudfront.edge import Edge
from aws_emulator.cloudfront.headers import first
from aws_emulator.cloudfront.model import Distribution
from aws_emulator.cloudfront.settings import Settings
from aws_emulator.cloudfront.sigv4 import sign
from aws_emulator.errors import CommandError

#: Seconds between two looks at the deployed configuration.
INTERVAL_S = 1.0
#: Looks without an answer after which the emulator counts as gone (about 4 seconds).
_MISSES = 3
_LOOK_TIMEOUT_S = 20.0


class Watch:
    """Looks at the ETags of the distribution and of the policies that it names."""

    def __init__(self, deployed: Deployed, settings: Settings, edge: Edge, pool: Pool) -> None:
        self._deployed = deployed
        self._settings = settings
        self._edge = edge
        self._pool = pool
        self._id: str | None = settings.distribution
        self._seen: dict[str, str] = {}
        self._turn = 0

    async def deploy(self) -> None:
        """Read the distribution and serve it: the one that was served before, while there is one.

        Raises CommandError.
        """
        found = await asyncio.to_thread(self._deployed.find, self._id)
        distribution = await asyncio.to_thread(self._deployed.load, found)
        self._id = found
        self._seen = {path: await self._look(path) for path in _paths(distribution)}
        self._edge.deploy(distribution)
        for sentence in _remarks(distribution):
            print(f"local edge: {sentence}", file=sys.stderr, flush=True)

    async def run(self) -> None:
        """Watch for ever. Raises CommandError when the emulator is gone."""
        missed = 0
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                if self._edge.distribution is None or await self._has_changed():
                    await self._deploy_again()
                missed = 0
            except ConnectionError as error:
                missed += 1
                if missed >= _MISSES:
                    raise CommandError(
                        f"The emulated AWS at {self._settings.endpoint.url} is gone."
                    ) from error
            except TimeoutError:
                # A machine under load: slow is not gone.
                missed = 0

    async def _has_changed(self) -> bool:
        """Look at the distribution, and at one of the other paths in turn."""
        (first_path, *others) = self._seen
        self._turn += 1
        paths = [first_path, *([others[self._turn % len(others)]] if others else [])]
        for path in paths:
            if await self._look(path) != self._seen[path]:
                return True
        return False

    async def _deploy_again(self) -> None:
        try:
            await self.deploy()
        except CommandError as error:
            # In the middle of a deployment: nothing is served until it can be read again.
            if self._edge.distribution is not None:
                print(f"local edge: {error}", file=sys.stderr, flush=True)
            self._edge.distribution = None
            # The emulator was reset, perhaps: the next deployment has an id of its own.
            self._id = self._settings.distribution

    async def _look(self, path: str) -> str:
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
        answer = await self._pool.send(
            endpoint.address, "GET", path, list(headers.items()), timeout_s=_LOOK_TIMEOUT_S
        )
        body = await answer.read(_LOOK_TIMEOUT_S)
        return first(answer.headers, "etag") or hashlib.sha256(body).hexdigest()


def _paths(distribution: Distribution) -> list[str]:
    """List what can change while the distribution's id stays: its configuration first, then its
    invalidations, then the policies that are not AWS's own."""
    api = "/2020-05-31"
    paths = [f"{api}/distribution/{distribution.id}/config"]
    # "Invalidate files": here an invalidation empties the whole cache, whatever paths it names.
    paths.append(f"{api}/distribution/{distribution.id}/invalidation")
    for behaviour in distribution.behaviours:
        policies = (
            ("cache-policy", behaviour.cache, managed.CACHE_POLICIES),
            (
                "origin-request-policy",
                behaviour.origin_request,
                managed.ORIGIN_REQUEST_POLICIES,
            ),
            (
                "response-headers-policy",
                behaviour.response_headers,
                managed.RESPONSE_HEADERS_POLICIES,
            ),
        )
        paths += [
            f"{api}/{kind}/{policy.id}/config"
            for kind, policy, known in policies
            if policy is not None and policy.id not in known
        ]
    return list(dict.fromkeys(paths))


def _remarks(distribution: Distribution) -> list[str]:
    refusals = {
        association.refusal: None
        for behaviour in distribution.behaviours
        for association in behaviour.associations.values()
        if association.refusal is not None
    }
    return [*distribution.notes, *refusals]
