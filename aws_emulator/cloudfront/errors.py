"""What can go wrong at the edge: each error carries the answer that CloudFront would give.

The tree:

    EdgeError                     an answer made by the edge itself
    ├── RequestRefusedError            the viewer's request breaks a rule of CloudFront
    ├── FunctionError             a function's invocation or result failed
    │   ├── ResultInvalidError         502, LambdaValidationError
    │   ├── ExecutionError       503, LambdaExecutionError
    │   └── LimitExceededError         503, LambdaLimitExceeded
    └── OriginError              the origin gave no usable answer
"""


class EdgeError(Exception):
    """Raised when the edge answers by itself. `status` is the HTTP status, `code` is stable,
    `result` is the word that CloudFront writes into `X-Cache` and into its access log."""

    code = "Error"
    result = "Error"
    status = 502

    def __init__(
        self, sentence: str, *, status: int | None = None, code: str | None = None
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        if status is not None:
            self.status = status
        if code is not None:
            self.code = code


class RequestRefusedError(EdgeError):
    """Raised when the viewer's request breaks a rule of CloudFront. Always given a status."""

    code = "RequestRefused"
    status = 400


class FunctionError(EdgeError):
    """Raised when a function associated with the behaviour could not be used."""


class ResultInvalidError(FunctionError):
    """Raised when what a function returned breaks a rule; `code` names the rule."""

    code = "LambdaValidationError"
    result = "LambdaValidationError"
    status = 502


class ExecutionError(FunctionError):
    """Raised when a function ended with an error, or may not be associated at all."""

    code = "LambdaExecutionError"
    result = "LambdaExecutionError"
    status = 503


class LimitExceededError(FunctionError):
    """Raised when a function was throttled or took longer than its event allows."""

    code = "LambdaLimitExceeded"
    result = "LambdaLimitExceeded"
    status = 503


class OriginError(EdgeError):
    """Raised when an origin could not be reached (502) or did not answer in time (504)."""

    code = "OriginFailed"
    status = 502
