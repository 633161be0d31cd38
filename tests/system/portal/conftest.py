"""Browsers of students at the running portal."""

import secrets
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.chromium import launched
from tests.system.school.world import World
from tools.dev.system import System
from tools.stack import client


@dataclass(frozen=True)
class Student:
    """A user of the pool that no other test knows."""

    email: str
    password: str = field(repr=False)


@pytest.fixture(scope="module")
def world(meridian: System) -> World:
    return World(meridian)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def student(meridian: System) -> Callable[[], Student]:
    """Makes students that may sign in; they do not pay."""

    def make() -> Student:
        it = Student(f"pupil-{uuid.uuid4().hex[:12]}@example.com", secrets.token_urlsafe(12))
        users, pool = (
            client("cognito-idp", meridian.target),
            meridian.deployed.outputs["UserPoolId"],
        )
        users.admin_create_user(
            UserPoolId=pool,
            Username=it.email,
            MessageAction="SUPPRESS",
            UserAttributes=[
                {"Name": "email", "Value": it.email},
                {"Name": "email_verified", "Value": "true"},
            ],
        )
        users.admin_set_user_password(
            UserPoolId=pool, Username=it.email, Password=it.password, Permanent=True
        )
        return it

    return make


@pytest.fixture
def complaints() -> list[str]:
    """What a browser has to say of our pages: errors of scripts, and of the policy."""
    return []


@pytest.fixture
def visit(
    chromium: Browser, meridian: System, complaints: list[str]
) -> Iterator[Callable[..., Page]]:
    """Opens browsers, each with cookies of its own, at the size of a telephone."""
    contexts: list[BrowserContext] = []

    def open_one(width: int = 360, **options: str) -> Page:
        context = chromium.new_context(
            base_url=meridian.url,
            viewport={"width": width, "height": 740},
            locale="en-GB",
            timezone_id="Asia/Kathmandu",  # a quarter of an hour beside everybody else's half hours
            **options,  # type: ignore[arg-type]  # texts only
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda it: complaints.append(it.text) if "Content Security" in it.text else None,
        )
        return page

    yield open_one
    for context in contexts:
        context.close()
