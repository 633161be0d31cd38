"""Replace files of a deployed function: POST /_local/function-files?function=NAME&region=REGION.

Gap: A deployment takes seconds for each function, and a published version can't change, so a
distribution shows a change of a Lambda@Edge function only after another version was published.
Seen in: ministack 1.5.33, lambda_svc.py, _update_code; AWS has no such operation.
Delete when: never; this is a control for development, not a repair.

The request's body is `{"files": {"package/module.py": BASE64 or null}}`; null removes a file. The
change applies to $LATEST and to all published versions. It takes effect only if the function starts
with it; else the response's `error` has the reason, and the function keeps its code.
"""

import base64
import hashlib
import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi, Query
from aws_emulator.ministack.package_files import replace_files, unchanged
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
            return self._replace(self._workers.find(self._account, query), files)

    def _replace(
        self, function: dict[str, Any], files: Mapping[str, bytes | None]
    ) -> dict[str, Any]:
        records = [function, *function.get("versions", {}).values()]
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
            version = record["config"]["Version"]
            self._workers.replace(record["config"], started.get(version))
        return {"error": None, "versions": [it["config"]["Version"] for it, _ in changed]}

    def _start(
        self, changed: list[tuple[dict[str, Any], bytes]]
    ) -> tuple[dict[str, Any], StartFailure | None]:
        """Start the versions that are in use, at least one. Return workers by version."""
        in_use = [it for it in changed if self._workers.has_any(it[0]["config"])]
        started: dict[str, Any] = {}
        for record, package in in_use or changed[:1]:
            config = {**record["config"], **_code(package)}
            worker = self._workers.start(config, package)
            if isinstance(worker, StartFailure):
                return started, worker
            started[config["Version"]] = worker
        return started, None


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
