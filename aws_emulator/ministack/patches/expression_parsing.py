"""An expression is parsed once, and its time is the thread's own.

Gap: a JSONata expression is parsed each time that it is evaluated, which is half of what an
execution costs; and its second counts while other threads run, so that a busy machine fails an
expression of a millisecond with States.QueryEvaluationError.
Seen in: ministack 1.5.33, stepfunctions.py, _evaluate_jsonata; jsonata-python 0.7.1, Timebox.
Delete when: an expression is kept parsed and a thread that waits uses up no time.
"""

import time
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

#: Far more than any machine has; a bound all the same, because expressions come from outside.
_KEPT = 4_096
#: Steps of an evaluation between two looks at the clock, which is a call of the kernel.
_STEPS = 64


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Keep what the parser makes, and give Timebox another clock."""
    engine = Part("jsonata.jsonata", "Jsonata")["Jsonata"]
    parser_of_thread: Callable[[], Any] = engine.get_parser
    kept: dict[tuple[Any, ...], Any] = {}

    class Kept:
        """A parser that remembers. A tree is only read by an evaluation: threads may share it."""

        dbg = False

        @staticmethod
        def parse(*given: Any) -> Any:
            tree = kept.get(given)
            if tree is None:
                tree = parser_of_thread().parse(*given)
                if len(kept) < _KEPT:
                    kept[given] = tree
            return tree

    engine.get_parser = staticmethod(lambda: Kept)

    clock = Part("jsonata.timebox", "Timebox", "jexception")
    box, exceptions = clock["Timebox"], clock["jexception"]
    begin = box.__init__

    def started(self: Any, *given: Any, **named: Any) -> None:
        begin(self, *given, **named)
        self.time, self.steps = None, 0

    def check(self: Any) -> None:
        if self.max_depth is not None and self.depth > self.max_depth:
            raise exceptions.JException("D1011", -1)
        self.steps += 1
        if self.timeout is None or self.steps % _STEPS:
            return
        now = time.thread_time()
        # Whoever makes an expression may evaluate it elsewhere: time begins with the evaluation.
        self.time = now if self.time is None else self.time
        if (now - self.time) * 1000 > self.timeout:
            raise exceptions.JException("D1012", -1, self.timeout)

    box.__init__, box.check_runaway = started, check
