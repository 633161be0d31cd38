"""Parse each JSONata expression once, and measure its time limit in CPU time.

Gap: MiniStack parses an expression at each evaluation, which is half of an execution's cost. The
limit of one second counts wall-clock time, so on a busy machine an expression of a millisecond can
fail with States.QueryEvaluationError.
Seen in: ministack 1.5.33, stepfunctions.py, _evaluate_jsonata; jsonata-python 0.7.1, Timebox.
Delete when: parsed expressions are cached and a waiting thread uses up no time.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: A bound, because expressions come from deployed templates.
_MAX_PARSED: Final = 4_096
#: Evaluation steps between two readings of the thread's clock, which is a system call.
_STEPS_PER_CLOCK_READ: Final = 64


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
