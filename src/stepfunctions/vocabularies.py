"""The school's vocabularies: the programmes, the languages of emails, and the ages of students.

The sign-up form reads the same file, as /vocabularies.json.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """`programmes` and `email_languages` map what is stored to what people read.

    Ages are in whole years, both inclusive.
    """

    programmes: Mapping[str, str]
    email_languages: Mapping[str, str]
    min_age_years: int
    max_age_years: int


@cache
def vocabularies() -> Vocabularies:
    """Return the vocabularies of the package, read once per process."""
    document = json.loads(FILE.read_text())
    ages = document["ageYears"]
    return Vocabularies(
        document["programmes"], document["emailLanguages"], int(ages["min"]), int(ages["max"])
    )
