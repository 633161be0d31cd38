"""The adapter of the queue of requests that wait for the home."""

from typing import Any

from sign_ups.errors import BusyError
from sign_ups.request import Request


class WaitingRequests:
    """This Region's queue, with a client of Amazon SQS."""

    def __init__(self, sqs: Any, url: str) -> None:
        """Create the adapter."""
        self._sqs = sqs
        self._url = url

    def keep(self, request: Request) -> None:
        """Keep a request until the home has it.

        Raises:
            BusyError: SQS didn't store it.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._sqs.send_message(QueueUrl=self._url, MessageBody=request.text())
        except (BotoCoreError, ClientError) as error:
            raise BusyError(type(error).__name__) from error
