"""The school's vocabularies: programmes, languages of emails, ages, and texts of the consent.

The pages of the sign-up read the same file, as /vocabularies.json.
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

    Ages are in whole years, both inclusive. From `adult_age_years` a student needs no guardian.
    `consent_texts` maps versions, "1" and so on, to what guardians agree to: a changed text is a
    new version, and the old ones stay, because the table has the version of each consent.
    """

    programmes: Mapping[str, str]
    email_languages: Mapping[str, str]
    min_age_years: int
    max_age_years: int
    adult_age_years: int
    consent_texts: Mapping[str, str]


@cache
def vocabularies() -> Vocabularies:
    """Return the vocabularies of the package, read once per process."""
    document = json.loads(FILE.read_text())
    ages = document["ageYears"]
    return Vocabularies(
        document["programmes"],
        document["emailLanguages"],
        int(ages["min"]),
        int(ages["max"]),
        int(ages["adult"]),
        document["consentTexts"],
    )
