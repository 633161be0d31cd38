"""Browser contexts of students on the running portal."""

import secrets
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.chromium import launched
from tests.system.school.school_client import SchoolClient
from tools.demo_students import create_user
from tools.dev.system import System
from tools.stack import client


@dataclass(frozen=True)
class Student:
    """A Cognito user of one test."""

    email: str
    password: str = field(repr=False)


@pytest.fixture(scope="module")
def school(meridian: System) -> SchoolClient:
    return SchoolClient(meridian)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def student(meridian: System) -> Callable[[], Student]:
    """Return a factory of students who can sign in but don't pay."""

    def make() -> Student:
        created = Student(f"pupil-{uuid.uuid4().hex[:12]}@example.com", secrets.token_urlsafe(12))
        users = client("cognito-idp", meridian.target)
        pool = meridian.deployed.outputs["UserPoolId"]
        create_user(users, pool, created.email, created.password)
        return created

    return make


@pytest.fixture
def operator(meridian: System, student: Callable[[], Student]) -> Student:
    """Create a user of the group that may open the cockpit."""
    created = student()
    client("cognito-idp", meridian.target).admin_add_user_to_group(
        UserPoolId=meridian.deployed.outputs["UserPoolId"],
        Username=created.email,
        GroupName="operators",
    )
    return created


@pytest.fixture
def page_errors() -> list[str]:
    """Collect script errors and Content Security Policy violations of the pages."""
    return []


@pytest.fixture
def visit(
    chromium: Browser, meridian: System, page_errors: list[str]
) -> Iterator[Callable[..., Page]]:
    """Return a factory of pages, each in a new browser context with a phone's viewport."""
    contexts: list[BrowserContext] = []

    def open_one(width: int = 360, locale: str = "en-GB", **options: str) -> Page:
        context = chromium.new_context(
            base_url=meridian.url,
            viewport={"width": width, "height": 740},
            locale=locale,
            timezone_id="Asia/Kathmandu",  # UTC+05:45
            **options,  # type: ignore[arg-type]  # texts only
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: page_errors.append(str(error)))
        page.on(
            "console",
            lambda it: page_errors.append(it.text) if "Content Security" in it.text else None,
        )
        return page

    yield open_one
    for context in contexts:
        context.close()
