"""Answer the requests that an Application Load Balancer sends to the function."""

from functools import cache
from typing import Any

from catalogue import alb
from catalogue.assembly import build
from catalogue.errors import CatalogueError, TooLargeError
from catalogue.router import Router, refusal
from catalogue.settings import settings


def handler(event: dict[str, Any], _context: object) -> dict[str, object]:
    """Return the load balancer's result for a request, also for refusals.

    Raises:
        CatalogueError: An environment variable is missing or invalid.
    """
    try:
        return alb.result(router().respond(alb.parse(event)))
    except TooLargeError as error:
        return alb.result(refusal(error))
    except CatalogueError as error:
        if error.status >= 500:
            raise
        return alb.result(refusal(error))


@cache
def router() -> Router:
    """Return the environment's router. It keeps its connections.

    Raises:
        SettingsError: An environment variable is missing or invalid.
    """
    return build(settings())
