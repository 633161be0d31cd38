"""Evaluate JSONata in a Distributed Map.

Gap: JSONata in ItemReader, ItemSelector and Output of a Distributed Map is not evaluated: the
reader looks for an object named "{% … %}", and a child workflow gets the expression as its input.
Seen in: ministack 1.5.33, stepfunctions.py, _run_distributed_map.
Delete when: the three fields are evaluated.

Not covered: ItemBatcher and ResultWriter, which MiniStack ignores.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: ItemSelector and input of the running map; children run in copies of this context.
_selector: ContextVar[tuple[Any, Any] | None] = ContextVar("selector", default=None)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Evaluate the reader before the map, the selector for each child, the output at the end."""
    service = Symbols(
        "ministack.services.stepfunctions",
        "_run_distributed_map",
        "_run_sub_machine",
        "_state_query_language",
        "_apply_jsonata_template",
        "_apply_jsonata_output",
        "_next_or_end",
    )

    def around_map(original: Callable[..., Any]) -> Callable[..., Any]:
        def run(
            state: dict[str, Any],
            state_input: Any,
            effective: Any,
            iterator: Any,
            execution: Any,
            ctx: Any,
        ) -> Any:
            if service["_state_query_language"](state, ctx) != "JSONata":
                return original(state, state_input, effective, iterator, execution, ctx)
            plain = {name: it for name, it in state.items() if name != "ItemSelector"}
            if "ItemReader" in plain:
                plain["ItemReader"] = service["_apply_jsonata_template"](
                    plain["ItemReader"], state_input, ctx
                )
            token = _selector.set((state.get("ItemSelector"), state_input))
            try:
                results, _ = original(plain, state_input, effective, iterator, execution, ctx)
            finally:
                _selector.reset(token)
            output = service["_apply_jsonata_output"](
                state, state_input, ctx, result=results, default=results
            )
            return output, service["_next_or_end"](state)

        return run

    def around_child(original: Callable[..., Any]) -> Callable[..., Any]:
        def run(states: Any, start: Any, item: Any, execution: Any, ctx: Any) -> Any:
            selected = _selector.get()
            if selected is None:
                return original(states, start, item, execution, ctx)
            selector, state_input = selected
            # A Parallel or Map state inside the child must not apply this selector.
            token = _selector.set(None)
            try:
                if selector is not None:
                    item = service["_apply_jsonata_template"](selector, state_input, ctx)
                return original(states, start, item, execution, ctx)
            finally:
                _selector.reset(token)

        return run

    service.wrap("_run_distributed_map", around_map)
    service.wrap("_run_sub_machine", around_child)
