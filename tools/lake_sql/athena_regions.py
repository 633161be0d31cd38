"""Generate the template of Athena's view over the lakes of all Regions from lake/regions.

`.venv/bin/python -m tools.lake_sql.athena_regions` writes
stacks/lake-all-regions.yaml; a test compares it. The number of further Regions is a parameter of
the deployment, so CloudFormation puts the statements together. Athena reads the buckets of other
Regions ("Query across regions").
"""

import json
import textwrap
from typing import Final

from tools.lake_sql.athena import TYPES, statement_of
from tools.lake_sql.tables import REGIONS_VIEW, columns
from tools.paths import ROOT

TEMPLATE: Final = ROOT / "stacks" / "lake-all-regions.yaml"
#: A stage has the home and at most four further Regions (ReplicaRegions).
FURTHER: Final = (1, 2, 3, 4)
_TYPES: Final = {**TYPES, "TIMESTAMPTZ": TYPES["TIMESTAMP WITH TIME ZONE"]}
_WIDTH: Final = 150
_HEAD: Final = """\
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
# Generated from lake/regions by `python -m tools.lake_sql.athena_regions`.
Description: Athena's tables over the lakes of the other Regions, and the view with each event once.

Parameters:
  Stage: {Type: String}
  LakeDatabase: {Type: String}
"""
_REGION: Final = """
  Region{n}:
    Type: AWS::Serverless::Application
    Condition: HasReplica{n}
    Properties:
      Location: lake-region-tables.yaml
      Parameters:
        Stage: !Ref Stage
        LakeDatabase: !Ref LakeDatabase
        Region: !Ref Replica{n}
        Suffix: region_{n}
"""
_VIEW: Final = """
  {name}View:
    Type: AWS::Glue::Table
    Properties:
      CatalogId: !Ref AWS::AccountId
      DatabaseName: !Ref LakeDatabase
      TableInput:
        Name: {table}
        Description: {description}
        TableType: VIRTUAL_VIEW
        Parameters: {{presto_view: 'true', comment: Presto View}}
        ViewExpandedText: /* Presto View */
        ViewOriginalText: !Join
          - ''
          - - '/* Presto View: '
            - Fn::Base64: {definition}
            - ' */'
        StorageDescriptor:
          SerdeInfo: {{}}
          Columns:
{columns}
"""
#: The statement of a view over as many Regions as there are.
_JOIN: Final = """\
!Join
                - ''
                - - !Sub >-
{begin}
{regions}
                  - !Sub >-
{end}"""


def template() -> str:
    """Return the template's text."""
    further = [f"  Replica{n}: {{Type: String}}\n" for n in FURTHER]
    conditions = [f"  HasReplica{n}: !Not [!Equals [!Ref Replica{n}, '']]\n" for n in FURTHER]
    parts = [_HEAD, *further, "\nConditions:\n", *conditions, "\nResources:"]
    parts += [_REGION.format(n=n) for n in FURTHER]
    lake = {**columns()["events"], "lake_region": "VARCHAR"}
    compacted = {**columns()["events_compacted"], "lake_region": "VARCHAR"}
    once = {**lake, "copy_number": "BIGINT"}
    parts.append(_union("events", "The events of the lakes of all Regions.", lake))
    parts.append(_union("events_compacted", "The compacted events of all Regions.", compacted))
    text = statement_of(_without_comments(REGIONS_VIEW.read_text()))
    parts.append(
        _view(
            "events_once_all_regions",
            "Every good event of all Regions once, where it arrived first.",
            text,
            [],
            once,
        )
    )
    return "".join(parts)


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def _union(table: str, description: str, typed: dict[str, str]) -> str:
    select = "SELECT *, CAST('{}' AS varchar) AS lake_region FROM {}"
    further = [
        " UNION ALL " + select.format(f"${{Replica{n}}}", f"{table}_region_{n}") for n in FURTHER
    ]
    first = select.format("${AWS::Region}", table)
    return _view(f"{table}_all_regions", description, first, further, typed)


def _view(
    table: str, description: str, first: str, further: list[str], typed: dict[str, str]
) -> str:
    engine = [{"name": name, "type": _TYPES[kind][1]} for name, kind in typed.items()]
    rest = json.dumps({"catalog": "awsdatacatalog", "schema": "${LakeDatabase}", "columns": engine})
    begin, end = '{"originalSql": "' + first, '", ' + rest.removeprefix("{")
    if further:
        regions = "\n".join(
            f"                  - !If [HasReplica{n}, !Sub \"{text}\", '']"
            for n, text in zip(FURTHER, further, strict=True)
        )
        definition = _JOIN.format(
            begin=_wrapped(begin, " " * 22), regions=regions, end=_wrapped(end, " " * 22)
        )
    else:
        definition = "!Sub >-\n" + _wrapped(begin + end, " " * 16)
    glue = ", ".join(f"{{Name: {name}, Type: {_TYPES[kind][0]}}}" for name, kind in typed.items())
    return _VIEW.format(
        name="".join(word.capitalize() for word in table.split("_")),
        table=table,
        description=description,
        definition=definition,
        columns=_wrapped(f"[{glue}]", " " * 12),
    )


def _wrapped(text: str, indent: str) -> str:
    lines = textwrap.wrap(
        text, _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False
    )
    return textwrap.indent("\n".join(lines), indent)


if __name__ == "__main__":
    TEMPLATE.write_text(template())
