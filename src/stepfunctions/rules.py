"""What a request must be to become an account: pure rules, every reason at once."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from stepfunctions import address

NAME_CHARACTERS = 200
PROGRAMME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
#: BCP 47, 2.1, the simple forms: a language, perhaps a script, perhaps a region.
LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?")
OLDEST_YEARS = 120
YOUNGEST_YEARS = 3


@dataclass(frozen=True, slots=True)
class Person:
    """What a student wrote into the form; an optional field that was left out is None."""

    email: str
    name: str
    date_of_birth: str | None = None
    programme: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request was rejected: for a program the code and the field, for a person the message.

    A message never repeats what was written.
    """

    code: str
    field: str
    message: str

    def document(self) -> dict[str, str]:
        """Return the reason as the workflow and the API carry it."""
        return {"code": self.code, "field": self.field, "message": self.message}


TAKEN = Reason("taken", "email", "There is an account with this e-mail address.")
EXPIRED = Reason("expired", "requestId", "The request is too old; send it again with a new id.")


def check(person: Person, today: date) -> list[Reason]:
    """Return every reason against an account for `person`; none, and there can be one."""
    found = (
        _email(person.email),
        _name(person.name),
        _birth(person.date_of_birth, today),
        _programme(person.programme),
        _locale(person.locale),
    )
    return [reason for reason in found if reason is not None]


def _email(text: str) -> Reason | None:
    if not text.strip():
        return Reason("missing", "email", "An e-mail address is needed.")
    if address.canonical(text) is None:
        return Reason("invalid", "email", "This is no e-mail address that mail can be sent to.")
    return None


def _name(text: str) -> Reason | None:
    if not text.strip():
        return Reason("missing", "name", "A name is needed.")
    if len(text) > NAME_CHARACTERS:
        return Reason("too_long", "name", f"A name has at most {NAME_CHARACTERS} characters.")
    # Cc, Cs, Cn: not for people to read. Cf stays: Hindi and Persian names need the joiners.
    if any(unicodedata.category(it) in {"Cc", "Cs", "Cn"} for it in text):
        return Reason("invalid", "name", "A name has characters that can be read.")
    if not any(unicodedata.category(it)[0] == "L" for it in text):
        return Reason("invalid", "name", "A name has at least one letter.")
    return None


def _birth(text: str | None, today: date) -> Reason | None:
    if text is None:
        return None
    born = _day(text)
    if born is None:
        return Reason("invalid", "dateOfBirth", "A date of birth is a day as YYYY-MM-DD.")
    if born > today:
        return Reason("future", "dateOfBirth", "A date of birth lies in the past.")
    if not YOUNGEST_YEARS <= age(born, today) <= OLDEST_YEARS:
        message = f"A student is {YOUNGEST_YEARS} to {OLDEST_YEARS} years old."
        return Reason("out_of_range", "dateOfBirth", message)
    return None


def _day(text: str) -> date | None:
    # fromisoformat takes 20260102 and 2026-W01-5 too: one form is enough to compare.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def age(born: date, today: date) -> int:
    """Return whole years: one less before this year's birthday."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _programme(text: str | None) -> Reason | None:
    if text is None or PROGRAMME.fullmatch(text):
        return None
    return Reason("invalid", "programme", "A programme is small letters, digits and hyphens.")


def _locale(text: str | None) -> Reason | None:
    if text is None or LOCALE.fullmatch(text):
        return None
    return Reason("invalid", "locale", "A locale is a language tag such as en, hi-IN or vi.")
