"""Open the links in the emails of the sign-ups, as the students do, all day."""

import json
import threading
from typing import Final, Self

from tools.dev.system import System
from tools.gameday.answers import Ledger
from tools.gameday.emails import sent_emails
from tools.replay.http_client import ConnectionLostError, HttpClient

_INTERVAL_S: Final = 1.0
#: A student opens the link again.
_TIMEOUT_S: Final = 5.0
_PROOF_LINK: Final = "/confirm.html#"


class LinkOpener:
    """Open each link until the API accepts it; the context lasts until no email is expected."""

    def __init__(self, running: System, ledger: Ledger) -> None:
        self._endpoint = running.target.endpoint
        self._client = HttpClient(running.url, timeout=_TIMEOUT_S)
        self._ledger = ledger
        self._opened: set[str] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="links")

    def __enter__(self) -> Self:
        """Start to read emails."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop reading emails."""
        self._stopped.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._stopped.wait(_INTERVAL_S):
            for proof in self._proofs() - self._opened:
                if self._stopped.is_set():
                    return
                self._open(proof)

    def _proofs(self) -> set[str]:
        try:
            emails = sent_emails(self._endpoint, _TIMEOUT_S)
        except OSError:
            return set()
        texts = [
            str(it["BodyText"])
            for it in emails
            if any(address in self._ledger.sign_ups for address in it["To"])
        ]
        return {it.partition(_PROOF_LINK)[2].split()[0] for it in texts if _PROOF_LINK in it}

    def _open(self, proof: str) -> None:
        body = dict(zip(("requestId", "token"), proof.split("."), strict=True))
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._client.request(
                "POST", "/api/accounts/proofs", headers, json.dumps(body).encode()
            )
        except ConnectionLostError:
            return
        if answer.status == 202:
            self._opened.add(proof)
