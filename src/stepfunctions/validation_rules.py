"""Validation rules of an account request. Pure functions that return every reason at once."""

import re
import unicodedata
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Final

from stepfunctions import email_address
from stepfunctions.vocabularies import vocabularies

MAX_NAME_CHARS: Final = 200
#: BCP 47, 2.1, simple forms: a language with an optional script and an optional region.
LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?")


@dataclass(frozen=True, slots=True)
class Person:
    """The submitted form; an omitted optional field is None."""

    email: str
    name: str
    date_of_birth: str | None = None
    programme: str | None = None
    locale: str | None = None
    guardian_email: str | None = None


def merged(stored: Person, listed: Person) -> Person:
    """Return a student's data with the fields of a roster's row, which omits unchanged ones."""
    fields = {name: value for name, value in asdict(listed).items() if value is not None}
    return replace(stored, **{**fields, "email": stored.email})


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason for a rejection: code and field for programs, a message for people.

    The message doesn't quote the submitted value.
    """

    code: str
    field: str
    message: str

    def document(self) -> dict[str, str]:
        """Return the reason in the format of the workflow and the API."""
        return {"code": self.code, "field": self.field, "message": self.message}


#: account.asl.yaml repeats the first message for a user who exists only in Cognito.
TAKEN: Final = Reason("taken", "email", "An account with this email address already exists.")
EXPIRED: Final = Reason(
    "expired", "requestId", "This request has expired. Send it again with a new requestId."
)


def validate_person(person: Person, today: date, *, trusted: bool = False) -> list[Reason]:
    """Return every reason to reject the form; an empty list if it is valid.

    A minor needs a guardian, except in the row of a roster, which is `trusted`: the office has the
    consent of the guardians of its list.
    """
    reasons = (
        _email(person.email),
        _name(person.name),
        _date_of_birth(person.date_of_birth, today),
        _programme(person.programme),
        _locale(person.locale),
        None if trusted else _guardian_email(person, today),
    )
    return [reason for reason in reasons if reason is not None]


def _email(text: str) -> Reason | None:
    if not text.strip():
        return Reason("missing", "email", "Email address is required.")
    if email_address.normalize(text) is None:
        message = "Enter a valid email address, such as name@example.com."
        return Reason("invalid", "email", message)
    return None


def _name(text: str) -> Reason | None:
    if not text.strip():
        return Reason("missing", "name", "Name is required.")
    if len(text) > MAX_NAME_CHARS:
        message = f"Name can't be longer than {MAX_NAME_CHARS} characters."
        return Reason("too_long", "name", message)
    # Cc, Cs and Cn have no visible form. Cf is valid: Hindi and Persian names need the joiners.
    if any(unicodedata.category(character) in {"Cc", "Cs", "Cn"} for character in text):
        return Reason("invalid", "name", "Name contains characters that can't be displayed.")
    if not any(unicodedata.category(character)[0] == "L" for character in text):
        return Reason("invalid", "name", "Name must contain at least one letter.")
    return None


def _date_of_birth(text: str | None, today: date) -> Reason | None:
    if text is None:
        return None
    born = _date(text)
    if born is None:
        return Reason("invalid", "dateOfBirth", "Enter the date of birth as YYYY-MM-DD.")
    if born > today:
        return Reason("future", "dateOfBirth", "Date of birth can't be in the future.")
    youngest, oldest = vocabularies().min_age_years, vocabularies().max_age_years
    if not youngest <= age(born, today) <= oldest:
        message = f"Students must be between {youngest} and {oldest} years old."
        return Reason("out_of_range", "dateOfBirth", message)
    return None


def _date(text: str) -> date | None:
    # fromisoformat also accepts 20260102 and 2026-W01-5; the project stores one format only.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def age(born: date, today: date) -> int:
    """Return the age in whole years."""
    birthday_is_ahead = (today.month, today.day) < (born.month, born.day)
    return today.year - born.year - birthday_is_ahead


def is_minor(person: Person, today: date) -> bool:
    """Return whether the form has a date of birth of a student who needs a guardian's consent."""
    born = _date(person.date_of_birth or "")
    return born is not None and age(born, today) < vocabularies().adult_age_years


def _guardian_email(person: Person, today: date) -> Reason | None:
    """Return the reason about the guardian's address, which an adult's form may have, too."""
    text = person.guardian_email
    if text is None or not text.strip():
        if not is_minor(person, today):
            return None
        adult = vocabularies().adult_age_years
        message = f"Students under {adult} need the email address of a parent or guardian."
        return Reason("missing", "guardianEmail", message)
    address = email_address.normalize(text)
    if address is None:
        message = "Enter a valid email address of a parent or guardian."
        return Reason("invalid", "guardianEmail", message)
    if address == email_address.normalize(person.email):
        message = "The address of the parent or guardian must differ from the student's."
        return Reason("same", "guardianEmail", message)
    return None


def _programme(text: str | None) -> Reason | None:
    programmes = vocabularies().programmes
    if text is None or text in programmes:
        return None
    message = f"Programme must be one of {', '.join(sorted(programmes))}."
    return Reason("invalid", "programme", message)


def _locale(text: str | None) -> Reason | None:
    if text is None or LOCALE.fullmatch(text):
        return None
    return Reason("invalid", "locale", "Enter a language tag, such as en, hi-IN or vi.")
