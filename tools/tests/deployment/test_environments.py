"""The environments in samconfig.toml, and the defaults of template.yaml."""

from pathlib import Path

import pytest

from aws_emulator.errors import CommandError
from tools.deployment.environments import (
    environments_of_stage,
    home_region_of,
    layout_of,
    read_environment,
    read_environments,
)
from tools.stack import stack_name


@pytest.mark.parametrize("name", ["default", "staging", "london", "mumbai", "edge"])
def test_environment_names_its_stack_after_stage_and_region(name: str) -> None:
    environment = read_environment(name)
    assert environment.stack_name == stack_name(environment.stage, environment.region)


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("default", {"home", "edge", "serving"}),
        ("london", {"home", "serving"}),
        ("mumbai", {"serving"}),
        ("edge", {"edge"}),
    ],
)
def test_environment_has_the_tasks_of_its_region(name: str, tasks: set[str]) -> None:
    environment = read_environment(name)
    assert {task for task in ("home", "edge", "serving") if getattr(environment, f"is_{task}")} == (
        tasks
    )


def test_unknown_environment_is_rejected_with_the_known_ones() -> None:
    message = r"no environment 'paris'\. Use one of: default, staging, london"
    with pytest.raises(CommandError, match=message):
        read_environment("paris")


def test_environment_without_a_stage_is_rejected(tmp_path: Path) -> None:
    config = tmp_path / "samconfig.toml"
    config.write_text(
        '[paris.deploy.parameters]\nstack_name="x"\nregion="eu-west-3"\n'
        'parameter_overrides=["Architecture=arm64"]\n'
    )
    with pytest.raises(CommandError, match=r"'paris' of samconfig\.toml has no Stage"):
        read_environment("paris", config)


def test_parameter_prefers_the_override_over_the_default() -> None:
    environment = read_environment("default")
    assert environment.parameter("Stage") == "dev"
    assert environment.parameter("LogRetentionDays") == "30"
    assert environment.parameter("NoSuchParameter") == ""


def test_stage_has_its_environments_in_the_order_of_the_file() -> None:
    assert [it.name for it in environments_of_stage("prod")] == ["london", "mumbai", "edge"]
    assert environments_of_stage("none") == []


def config(directory: Path, *environments: tuple[str, str, str]) -> Path:
    """Write a samconfig.toml with environments of the stage s: name, Region, home Region."""
    path = directory / "samconfig.toml"
    path.write_text(
        "".join(
            f'[{name}.deploy.parameters]\nstack_name="meridian-s-{region}"\nregion="{region}"\n'
            f'parameter_overrides=["Stage=s", "HomeRegion={home}"]\n'
            for name, region, home in environments
        )
    )
    return path


def test_stage_is_deployed_from_the_home_to_the_edge(tmp_path: Path) -> None:
    path = config(
        tmp_path,
        ("virginia", "us-east-1", "eu-west-2"),
        ("mumbai", "ap-south-1", "eu-west-2"),
        ("london", "eu-west-2", "eu-west-2"),
    )
    assert [it.name for it in read_environments("s", path)] == ["london", "mumbai", "virginia"]
    assert [it.name for it in read_environments("mumbai", path)] == ["mumbai"]


def test_home_in_us_east_1_is_deployed_once(tmp_path: Path) -> None:
    path = config(tmp_path, ("london", "eu-west-2", "us-east-1"), ("one", "us-east-1", "us-east-1"))
    assert [it.name for it in read_environments("s", path)] == ["one", "london"]


def test_environments_with_different_homes_are_refused(tmp_path: Path) -> None:
    path = config(
        tmp_path, ("london", "eu-west-2", "eu-west-2"), ("edge", "us-east-1", "us-east-1")
    )
    with pytest.raises(CommandError, match=r"several home Regions: eu-west-2, us-east-1\. Set"):
        layout_of(read_environment("edge", path), path)


def test_region_without_environment_has_a_stack_with_the_usual_name(tmp_path: Path) -> None:
    path = config(tmp_path, ("mumbai", "ap-south-1", "eu-west-2"))
    layout = layout_of(read_environment("mumbai", path), path)
    assert layout.home.stack_name == "meridian-s-eu-west-2"
    assert layout.edge.stack_name == "meridian-s-us-east-1"
    assert [it.name for it in read_environments("s", path)] == ["mumbai"]


def test_region_in_the_home_s_list_needs_no_environment(tmp_path: Path) -> None:
    path = config(
        tmp_path, ("london", "eu-west-2", "eu-west-2"), ("mumbai", "ap-south-1", "eu-west-2")
    )
    text = path.read_text().replace(
        '"HomeRegion=eu-west-2"]',
        '"HomeRegion=eu-west-2", "ReplicaRegions=ap-south-1,sa-east-1"]',
        1,
    )
    path.write_text(text)
    environments = read_environments("s", path)
    assert [it.name for it in environments] == ["london", "mumbai", "s-sa-east-1"]
    further = environments[2]
    assert (further.region, further.stack_name) == ("sa-east-1", "meridian-s-sa-east-1")
    assert (further.settings, further.home_region) == ("london", "eu-west-2")
    assert further.is_serving
    assert not further.is_home
    assert read_environment("s-sa-east-1", path) == further
    assert environments[1].settings == "mumbai"


def test_home_region_of_a_stage_is_that_of_its_environments() -> None:
    assert home_region_of("prod") == "eu-west-2"
    assert home_region_of("dev") == home_region_of("unknown") == home_region_of(None) == "us-east-1"
