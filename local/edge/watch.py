"""Watching the deployment: a changed distribution is served, a lost emulator ends the process."""

import asyncio
import sys
from datetime import UTC, datetime

from local.edge.client import Pool
from local.edge.distribution import Deployed
from local.edge.edge import Edge
from local.edge.headers import first
from local.edge.model import Distribution
from local.edge.settings import Settings
from local.edge.sigv4 import sign
from local.errors import LocalError

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
        self._seen: tuple[str, ...] = ()
        self._id = ""

    async def deploy(self) -> None:
        """Read the distribution and serve it. Raises LocalError."""
        self._id = await asyncio.to_thread(self._deployed.find, self._settings.distribution)
        distribution, _ = await asyncio.to_thread(self._deployed.load, self._id)
        self._edge.deploy(distribution)
        self._seen = await self._look(distribution)
        for sentence in _remarks(distribution):
            print(f"local edge: {sentence}", file=sys.stderr, flush=True)

    async def run(self) -> None:
        """Watch for ever. Raises LocalError when the emulator is gone."""
        missed = 0
        while True:
            await asyncio.sleep(INTERVAL_S)
            distribution = self._edge.distribution
            try:
                if distribution is None or await self._look(distribution) != self._seen:
                    await self._deploy_again()
                missed = 0
            except ConnectionError as error:
                missed += 1
                if missed >= _MISSES:
                    raise LocalError(
                        f"The emulated AWS at {self._settings.endpoint.url} is gone."
                    ) from error
            except TimeoutError:
                # A machine under load: slow is not gone.
                missed = 0

    async def _deploy_again(self) -> None:
        try:
            await self.deploy()
        except LocalError as error:
            # In the middle of a deployment: nothing is served until it can be read again.
            if self._edge.distribution is not None:
                print(f"local edge: {error}", file=sys.stderr, flush=True)
            self._edge.distribution = None

    async def _look(self, distribution: Distribution) -> tuple[str, ...]:
        paths = [f"/2020-05-31/distribution/{distribution.id}/config"]
        for behaviour in distribution.behaviours:
            paths.append(f"/2020-05-31/cache-policy/{behaviour.cache.id}/config")
            if behaviour.origin_request is not None:
                paths.append(
                    f"/2020-05-31/origin-request-policy/{behaviour.origin_request.id}/config"
                )
            if behaviour.response_headers is not None:
                paths.append(
                    f"/2020-05-31/response-headers-policy/{behaviour.response_headers.id}/config"
                )
        return tuple([await self._etag(path) for path in dict.fromkeys(paths)])

    async def _etag(self, path: str) -> str:
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
        await answer.read(_LOOK_TIMEOUT_S)
        return f"{answer.status} {first(answer.headers, 'etag')}"


def _remarks(distribution: Distribution) -> list[str]:
    refusals = {
        association.refusal: None
        for behaviour in distribution.behaviours
        for association in behaviour.associations.values()
        if association.refusal is not None
    }
    return [*distribution.notes, *refusals]
