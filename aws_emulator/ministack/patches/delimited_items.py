"""Read the CSV items of a Distributed Map by the rules of Step Functions.

Gap: the item reader follows RFC 4180, in which a backslash has no meaning. Step Functions removes
a backslash, or takes it as an escape, so an execution on AWS gets other items.
Seen in: ministack 1.5.33, stepfunctions.py, _parse_reader_items calls csv.reader.
Delete when: the reader drops a backslash before another character.
"""

import csv
import io
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack import delimited_text
from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Parse the text first, and pass it on in RFC 4180 with every field in quotes."""
    service = Symbols("ministack.services.stepfunctions", "_parse_reader_items", "_CSV_DELIMITERS")

    def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
        def parse(text: str, config: dict[str, Any]) -> Any:
            if config.get("InputType") != "CSV":
                return original(text, config)
            delimiter = service["_CSV_DELIMITERS"].get(config.get("CSVDelimiter", "COMMA"), ",")
            written = io.StringIO(newline="")
            writer = csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL)
            writer.writerows(delimited_text.parse(text, delimiter))
            return original(written.getvalue(), config)

        return parse

    service.wrap("_parse_reader_items", wrapper)
