"""Parse each JSONata expression once, and measure its time limit in CPU time.

Gap: MiniStack parses an expression at each evaluation, which is half of an execution's cost. The
evaluation of a path such as `$states.input.id` takes a hundred times longer than its two lookups,
and so do the names of a request's members, which are derived anew for each call. The
limit of one second counts wall-clock time, so on a busy machine an expression of a millisecond can
fail with States.QueryEvaluationError.
Seen in: ministack 1.5.33, stepfunctions.py, _evaluate_jsonata and _api_name_to_sfn_key;
jsonata-python 0.7.1, Timebox.
Delete when: parsed expressions are cached, paths are read directly, and a waiting thread uses up no
time.
"""

import functools
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: A bound, because expressions come from deployed templates.
_MAX_PARSED: Final = 4_096
#: Evaluation steps between two readings of the thread's clock, which is a system call.
_STEPS_PER_CLOCK_READ: Final = 64
#: A path from a member of `$states`, and a text without escapes.
_PATH: Final = re.compile(r"\$states\.(input|result|context)((?:\.[A-Za-z]\w*)*)")
_TEXT: Final = re.compile(r"'([^'\\]*)'")
_PART: Final = rf"(?:{_PATH.pattern}|{_TEXT.pattern})"
_JOINED: Final = re.compile(rf"{_PART}(?: & {_PART})*")
#: Words that JSONata reads as operators in some places.
_OPERATORS: Final = frozenset({"and", "or", "in"})

#: A value by the members of `$states`; LookupError if the engine must evaluate the expression.
type Reader = Callable[[Mapping[str, Any]], Any]


@functools.lru_cache(_MAX_PARSED)
def reader(expression: str) -> Reader | None:
    """Return the reader of a path, or of texts and paths joined by `&`; None for another one."""
    if not _JOINED.fullmatch(expression) or _OPERATORS & set(re.split(r"\W", expression)):
        return None
    parts = [_part(it) for it in re.findall(rf"{_PATH.pattern}|{_TEXT.pattern}", expression)]
    if len(parts) == 1:
        return parts[0]

    def join(states: Mapping[str, Any]) -> Any:
        values = [part(states) for part in parts]
        if not all(isinstance(it, str) for it in values):
            raise LookupError("JSONata casts other values to texts.")
        return "".join(values)

    return join


def _part(groups: tuple[str, str, str]) -> Reader:
    member, names, text = groups
    if not member:
        return lambda _: text
    steps = (member, *names.split(".")[1:])

    def read(states: Mapping[str, Any]) -> Any:
        value: Any = states
        for step in steps:
            # A list has a sequence of its members' values.
            if not isinstance(value, dict) or step not in value:
                raise LookupError("The engine tells what is missing.")
            value = value[step]
        if value is None or isinstance(value, list):
            raise LookupError("The engine decides about null and sequences.")
        return value

    return read


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Cache parsed expressions, and replace the clock of Timebox."""
    engine = Symbols("jsonata.jsonata", "Jsonata")["Jsonata"]
    parser_of_thread: Callable[[], Any] = engine.get_parser
    trees: dict[tuple[Any, ...], Any] = {}

    class CachingParser:
        """A parser with a cache. Evaluation only reads the tree, so threads may share it."""

        dbg = False

        @staticmethod
        def parse(*expression: Any) -> Any:
            tree = trees.get(expression)
            if tree is None:
                tree = parser_of_thread().parse(*expression)
                if len(trees) < _MAX_PARSED:
                    trees[expression] = tree
            return tree

    engine.get_parser = staticmethod(lambda: CachingParser)

    service = Symbols(
        "ministack.services.stepfunctions", "_api_name_to_sfn_key", "_evaluate_jsonata"
    )
    service.wrap("_api_name_to_sfn_key", functools.lru_cache(_MAX_PARSED))
    service.wrap("_evaluate_jsonata", _read_paths)

    clock = Symbols("jsonata.timebox", "Timebox", "jexception")
    box, exceptions = clock["Timebox"], clock["jexception"]
    begin = box.__init__

    def started(self: Any, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        self.time, self.steps = None, 0

    def check(self: Any) -> None:
        if self.max_depth is not None and self.depth > self.max_depth:
            raise exceptions.JException("D1011", -1)
        self.steps += 1
        if self.timeout is None or self.steps % _STEPS_PER_CLOCK_READ:
            return
        now = time.thread_time()
        # Another thread may have created the expression: time starts with the evaluation.
        self.time = now if self.time is None else self.time
        if (now - self.time) * 1000 > self.timeout:
            raise exceptions.JException("D1012", -1, self.timeout)

    box.__init__, box.check_runaway = started, check


def _read_paths(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return an evaluation that reads paths without the engine."""

    def evaluate(
        expression: str,
        raw_input: Any,
        ctx: Any = None,
        result: Any = None,
        *rest: Any,
        **more: Any,
    ) -> Any:
        read = reader(expression)
        if read is not None:
            try:
                return read({"input": raw_input, "result": result, "context": ctx})
            except LookupError:
                pass
        return original(expression, raw_input, ctx, result, *rest, **more)

    return evaluate
