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
    assert 0 < vocabularies().min_age_years < vocabularies().max_age_years
