"""Apply the SAM transform to nested templates.

Gap: the template of an AWS::CloudFormation::Stack is not transformed, so its first AWS::Serverless
resource is rejected as unsupported.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _cfn_nested_stack_deploy.
Delete when: a nested template is transformed with the values of its parameters.

The patch also keeps parsed templates and the documents that they include: a repeated deployment, a
rollback and an update parse the same ones again, and the parser in Python takes 0.1 s for one of
400 lines.
"""

import copy
import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CLOUDFORMATION: Final = "ministack.services.cloudformation"
#: The templates of several deployments of a project with 40 stacks.
_MAX_TEMPLATES: Final = 256
#: Parent stack and parameters of the nested stack whose template is parsed next.
_nested: ContextVar[tuple[str, dict[str, Any]] | None] = ContextVar("nested_stack", default=None)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Transform only the templates that the deployment of a nested stack parses."""
    engine = Symbols(
        f"{_CLOUDFORMATION}.engine", "_parse_template", "_parse_snippet", "_apply_transforms"
    )
    # These modules imported the original, and must keep it.
    Symbols(f"{_CLOUDFORMATION}.handlers", "_parse_template")
    Symbols(f"{_CLOUDFORMATION}.changesets", "_parse_template")
    provisioners = Symbols(
        f"{_CLOUDFORMATION}.provisioners",
        "_cfn_nested_stack_deploy",
        "_check_nested_stack_capabilities",
    )

    def and_transform(parse: Callable[..., Any]) -> Callable[..., Any]:
        def parse_template(body: str) -> Any:
            template = parse(body)
            nested = _nested.get()
            if nested is None:
                return template
            _nested.set(None)
            parent, parameters = nested
            # "If your template contains macros, you must acknowledge CAPABILITY_AUTO_EXPAND"
            # (CreateStack): this check needs the template before the transform.
            provisioners["_check_nested_stack_capabilities"](parent, template)
            parameter_list = [
                {"Key": name, "Value": str(value)} for name, value in parameters.items()
            ]
            return engine["_apply_transforms"](template, parameter_list)

        return parse_template

    def announced(deploy: Callable[..., Any]) -> Callable[..., Any]:
        def nested_stack_deploy(
            logical_id: str, props: dict[str, Any], parent_stack_name: str, **rest: Any
        ) -> Any:
            parameters = props.get("Parameters")
            token = _nested.set(
                (parent_stack_name, parameters if isinstance(parameters, dict) else {})
            )
            try:
                return deploy(logical_id, props, parent_stack_name, **rest)
            finally:
                _nested.reset(token)

        return nested_stack_deploy

    engine.wrap("_parse_snippet", keep_templates)
    engine.wrap("_parse_template", keep_templates)
    engine.wrap("_parse_template", and_transform)
    provisioners.wrap("_cfn_nested_stack_deploy", announced)


def keep_templates(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let a parser parse equal texts once. Each caller gets a copy. A failure isn't kept."""
    parsed = functools.lru_cache(_MAX_TEMPLATES)(parse)
    return lambda body: copy.deepcopy(parsed(body))
