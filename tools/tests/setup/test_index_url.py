"""The index that the set-up uses, by the settings of uv and pip."""

from pathlib import Path

import pytest

from tools.setup.uv_download import DEFAULT_INDEX, index_url


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    # /etc/pip.conf of this machine must not matter: an empty file comes first.
    return {"HOME": str(tmp_path)}


def test_default_is_the_public_index(home: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("configparser.ConfigParser.read", lambda *_it: [])
    assert index_url(home) == DEFAULT_INDEX


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"])
def test_variable_names_the_index(home: dict[str, str], variable: str) -> None:
    assert (
        index_url(home | {variable: "https://mirror.test/simple/"}) == "https://mirror.test/simple"
    )


def test_named_index_of_uv_is_read_without_its_name(home: dict[str, str]) -> None:
    variables = home | {"UV_DEFAULT_INDEX": "corp=https://mirror.test/simple"}
    assert index_url(variables) == "https://mirror.test/simple"


@pytest.mark.parametrize("configuration_path", [".config/pip/pip.conf", ".pip/pip.conf"])
def test_pip_configuration_names_the_index(home: dict[str, str], configuration_path: str) -> None:
    file = Path(home["HOME"], configuration_path)
    file.parent.mkdir(parents=True)
    file.write_text("[global]\nindex-url = https://mirror.test/simple\n")
    assert index_url(home) == "https://mirror.test/simple"


def test_malformed_pip_configuration_is_skipped(home: dict[str, str]) -> None:
    file = Path(home["HOME"], "pip.conf")
    file.write_text("index-url without a section")
    variables = home | {"PIP_CONFIG_FILE": str(file)}
    assert index_url(variables).startswith("http")
