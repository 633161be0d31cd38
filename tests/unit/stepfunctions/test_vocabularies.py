"""One file has the choices of the forms, of the API, of the workflow and of the emails."""

import re

import pytest
import yaml

from stepfunctions import email_templates
from stepfunctions.vocabularies import vocabularies
from tests.support.paths import ROOT

#: What the API's model of a request allows in a programme.
MAX_PROGRAMME_CHARS = 64


def test_every_email_has_the_languages_of_the_vocabulary() -> None:
    languages = set(vocabularies().email_languages)
    for kind, by_language in email_templates.TEMPLATES.items():
        assert by_language.keys() == languages, kind
    assert email_templates.FALLBACK_LANGUAGE in languages


def test_preferences_of_the_api_have_the_languages_of_the_vocabulary() -> None:
    path = ROOT / "src" / "stepfunctions" / "api" / "components.yaml"
    schemas = yaml.safe_load(path.read_text())["schemas"]
    choices = schemas["Preferences"]["properties"]["locale"]["enum"]
    assert choices == list(vocabularies().email_languages)


@pytest.mark.parametrize("page", ["public/sign-up.html", "members/app/index.html"])
def test_page_offers_only_languages_of_the_vocabulary(page: str) -> None:
    """The sign-up form adds the others from the file, and works without it."""
    text = (ROOT / "web" / page).read_text()
    offered = dict(re.findall(r'<option value="([a-z]+)" lang="[a-z]+">([^<]+)</option>', text))
    assert offered.items() <= vocabularies().email_languages.items()
    assert email_templates.FALLBACK_LANGUAGE in offered


def test_names_of_the_vocabulary_fit_the_api() -> None:
    for programme, name in vocabularies().programmes.items():
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", programme)
        assert len(programme) <= MAX_PROGRAMME_CHARS
        assert name.strip() == name != ""
    ages = vocabularies()
    assert 0 < ages.min_age_years < ages.adult_age_years < ages.max_age_years


def test_texts_of_the_consent_are_numbered_and_fit_the_api() -> None:
    path = ROOT / "src" / "stepfunctions" / "api" / "components.yaml"
    rule = yaml.safe_load(path.read_text())["schemas"]["AccountProof"]["properties"]["consentText"]
    versions = list(vocabularies().consent_texts)
    assert versions == [str(number) for number in range(1, len(versions) + 1)]
    for version, text in vocabularies().consent_texts.items():
        assert re.fullmatch(rule["pattern"], version)
        assert len(version) <= rule["maxLength"]
        assert text.strip() == text != ""


def test_pages_and_emails_name_the_age_of_adults() -> None:
    adult = vocabularies().adult_age_years
    page = (ROOT / "web" / "public" / "sign-up.html").read_text()
    script = (ROOT / "web" / "public" / "js" / "sign-up.js").read_text()
    assert f'<span id="adult">{adult}</span>' in page
    assert f"let adultAge = {adult};" in script
    assert all(f"{adult}" in it.text for it in email_templates.CONSENT_REQUESTED.values())
    api = (ROOT / "src" / "stepfunctions" / "api" / "components.yaml").read_text()
    assert f"A student under {adult} needs the consent" in api
