"""The portal's pages in a browser without a running system: files from `web`, and given answers."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Route

from aws_emulator.reload.pages import content_type
from tests.support.page_texts import WEB

#: Browsers allow what needs a secure origin, such as crypto.randomUUID.
ORIGIN: Final = "https://portal.test"
_MEMBERS: Final = ("/app/", "/courses/", "/premium/", "/media/")
_GENERATED: Final = {"/portal.json": {"writeKey": "key", "regions": ["eu-west-2"]}}

#: A method and a path with its query → the answer's status and document.
type Answer = Callable[[str, str, Any], tuple[int, Mapping[str, Any]]]


def serve(context: BrowserContext, answer: Answer) -> None:
    """Answer all requests of a context: the API by `answer`, without its prefix /api."""

    def fulfill(route: Route) -> None:
        request = route.request
        url = urlsplit(request.url)
        path = url.path + ("index.html" if url.path.endswith("/") else "")
        if path.startswith("/api/"):
            query = f"?{url.query}" if url.query else ""
            sent = json.loads(request.post_data) if request.post_data else None
            status, document = answer(request.method, path.removeprefix("/api") + query, sent)
            return route.fulfill(status=status, json=document)
        if path == "/auth/session":
            return route.fulfill(json={"signed_in": True})
        if path in _GENERATED:
            return route.fulfill(json=_GENERATED[path])
        file = WEB / ("members" if path.startswith(_MEMBERS) else "public") / path.lstrip("/")
        if not file.is_file():
            return route.fulfill(status=404, body="")
        return route.fulfill(body=file.read_bytes(), content_type=content_type(path))

    context.route(f"{ORIGIN}/**", fulfill)
