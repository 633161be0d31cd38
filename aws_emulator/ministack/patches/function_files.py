"""Replace files of a deployed function: POST /_local/function-files?function=NAME&region=REGION.

Gap: A deployment takes seconds for each function, and a published version can't change, so a
distribution shows a change of a Lambda@Edge function only after another version was published.
Seen in: ministack 1.5.33, lambda_svc.py, _update_code; AWS has no such operation.
Delete when: never; this is a control for development, not a repair.

The request's body is `{"files": {"package/module.py": BASE64 or null}}`; null removes a file. The
change applies to $LATEST, to all published versions and to their replicas. It takes effect only if
the function starts with it; else the response's `error` has the reason, and the function keeps its
code.
"""

import base64
import hashlib
import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi, Query
from aws_emulator.ministack.package_files import replace_files, unchanged
from aws_emulator.ministack.patches.edge_function_replicas import replicas_of
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.workers import StartFailure, Workers

PATH: Final = "/_local/function-files"


def install(settings: Settings, control: ControlApi, _application: Any) -> None:
    """Add the control."""
    files = _FunctionFiles(settings.account)
    control.add_threaded("POST", PATH, files.replace)


class _FunctionFiles:
    def __init__(self, account: str) -> None:
        self._account = account
        self._workers = Workers()
        self._guard = threading.Lock()
        self._locks: defaultdict[tuple[str | None, str | None], threading.Lock] = defaultdict(
            threading.Lock
        )

    def replace(self, query: Query, document: Any) -> dict[str, Any]:
        """Replace files, and return the versions that changed or the error of the start.

        Raises:
            ValueError: The function doesn't exist, or the document is invalid.
        """
        files = _decode(document)
        with self._guard:
            # Several functions may start at the same time.
            lock = self._locks[query.get("region"), query.get("function")]
        with lock:
            function = self._workers.find(self._account, query)
            replicas = [
                self._workers.find(self._account, it) for it in replicas_of(self._account, query)
            ]
            return self._replace(function, replicas, files)

    def _replace(
        self,
        function: dict[str, Any],
        replicas: list[dict[str, Any]],
        files: Mapping[str, bytes | None],
    ) -> dict[str, Any]:
        own = [function, *function.get("versions", {}).values()]
        records = own + [version for it in replicas for version in it["versions"].values()]
        packages: dict[int, bytes] = {}
        for record in records:
            package = record["code_zip"]
            if id(package) not in packages and not unchanged(package, files):
                packages[id(package)] = replace_files(package, files)
        changed = [
            (record, packages[id(record["code_zip"])])
            for record in records
            if id(record["code_zip"]) in packages
        ]
        started, failure = self._start(changed)
        if failure is not None:
            self._workers.discard(list(started.values()))
            return {"error": failure.as_json(), "versions": []}
        for record, package in changed:
            record["code_zip"] = package
            record["config"].update(_code(package))
            self._workers.replace(record["config"], started.get(_identity(record["config"])))
        versions = [it["config"]["Version"] for it, _ in changed if any(it is one for one in own)]
        return {"error": None, "versions": versions}

    def _start(
        self, changed: list[tuple[dict[str, Any], bytes]]
    ) -> tuple[dict[tuple[str, str], Any], StartFailure | None]:
        """Start the versions that are in use, at least one. Return workers by identity."""
        in_use = [it for it in changed if self._workers.has_any(it[0]["config"])]
        started: dict[tuple[str, str], Any] = {}
        for record, package in in_use or changed[:1]:
            config = {**record["config"], **_code(package)}
            worker = self._workers.start(config, package)
            if isinstance(worker, StartFailure):
                return started, worker
            started[_identity(config)] = worker
        return started, None


def _identity(config: Mapping[str, Any]) -> tuple[str, str]:
    """Return what tells a version from those of replicas: its function's ARN, and its number."""
    return str(config["FunctionArn"]), str(config["Version"])


def _decode(document: Any) -> dict[str, bytes | None]:
    try:
        return {
            str(name): None if content is None else base64.b64decode(content)
            for name, content in document["files"].items()
        }
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError('The body must be {"files": {NAME: BASE64 or null}}.') from error


def _code(package: bytes) -> dict[str, Any]:
    digest = base64.b64encode(hashlib.sha256(package).digest()).decode()
    return {"CodeSha256": digest, "CodeSize": len(package)}
