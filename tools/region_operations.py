"""Generate the operators' operations for each Region from those of the home.

An integration's ARN names its Region, and AWS::Include takes no parameters, so each further Region
of the stage has files of its own in src/stepfunctions/api/regions. `make reference` writes them;
a test compares them.
"""

import re
from pathlib import Path
from typing import Final

from tools.paths import ROOT

SOURCES: Final = ROOT / "src" / "stepfunctions" / "api"
TARGET: Final = SOURCES / "regions"
#: The further Regions of a stage (template.yaml, ReplicaRegions), and their words.
FURTHER: Final = {1: "first", 2: "second", 3: "third", 4: "fourth"}
#: A file of the home, or of the called Region -> the resource with the same operations.
RESOURCES: Final = {
    "operator-flow-home.yaml": "/operator/flow/{segment}",
    "operator-alarms-home.yaml": "/operator/alarms/{segment}",
    "verdicts.yaml": "/operator/verdicts/{segment}",
    "operator-queries.yaml": "/operator/lakes/{segment}/queries",
    "operator-query.yaml": "/operator/lakes/{segment}/queries/{query}",
    "operator-query-rows.yaml": "/operator/lakes/{segment}/queries/{query}/rows",
}
#: The home's emails are sent by its Amazon SES; further Regions send none.
_OF_HOME: Final = re.compile(r',\n +\{"Id": "\w+", "MetricStat": [^\n]+"AWS/SES"[^\n]+?"Sum"\}\}')


def operations() -> dict[str, tuple[str, str]]:
    """Return the resource and the content of each file, by the file's name."""
    files = {"verdicts-home.yaml": _operation("verdicts.yaml", "home", "HomeRegion", "home Region")}
    for number, word in FURTHER.items():
        for source in RESOURCES:
            name = source.removeprefix("operator-").removesuffix(".yaml").removesuffix("-home")
            files[f"{name}-further-{number}.yaml"] = _operation(
                source, f"further-{number}", f"Replica{number}", f"{word} further Region"
            )
    return files


def _operation(source: str, segment: str, parameter: str, region: str) -> tuple[str, str]:
    """Return the resource of a path segment, and the source for the Region in a parameter."""
    resource = RESOURCES[source].replace("{segment}", segment)
    content = (SOURCES / source).read_text().partition("\n")[2]
    if segment != "home":
        content = _OF_HOME.sub("", content)
    suffix = segment.title().replace("-", "")
    content = re.sub(r"(operationId: \w+?)(Home)?\n", rf"\1{suffix}\n", content)
    content = content.replace("${HomeRegion}", f"${{{parameter}}}")
    content = content.replace("the home Region", f"the {region}")
    # Of the called Region.
    content = content.replace("apigateway:${AWS::Region}:", f"apigateway:${{{parameter}}}:")
    content = content.replace("in this Region", f"in the {region}")
    content = content.replace("[ApiRole, Arn]", "[Operators, Outputs.RoleArn]")
    head = f"# {resource}: {source} for the {region}. `make reference` writes this file.\n"
    return resource, head + content


def write(folder: Path = TARGET) -> None:
    """Write all files."""
    folder.mkdir(exist_ok=True)
    for name, (_, content) in operations().items():
        (folder / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write()
