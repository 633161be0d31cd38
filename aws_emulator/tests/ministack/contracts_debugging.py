"""Contract of the patch that sends a function's invocations to a debugged process."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlencode

from aws_emulator.tests.ministack.contracts_functions import invoke
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE, function, stack


class _Debugged(BaseHTTPRequestHandler):
    """Answers as a debugged process: with its input, or with an error."""

    def do_POST(self) -> None:
        forwarded = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        failed = forwarded["event"] == "fail"
        error = {"errorType": "KeyError", "errorMessage": "x"}
        answer = {"body": error if failed else forwarded, "error": failed, "log": "a line"}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Write no log."""


def debugged_functions(emulator: Emulator) -> None:
    """Invocations of any version reach the debugged process, until it ends."""
    name = unique("debugged")
    code = "def handler(event, context):\n    return 'own'\n"
    emulator.deploy(stack(Role=ROLE, Debugged=function(name, code)), name)
    version = emulator.client("lambda").publish_version(FunctionName=name)["Version"]
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    path, region = f"function-replica?arn={arn}:{version}&region=eu-west-2", "eu-west-2"
    replica = emulator.local(path, "POST")["arn"]
    server = HTTPServer(("127.0.0.1", 0), _Debugged)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    query = urlencode({"arn": arn, "url": f"http://127.0.0.1:{server.server_address[1]}"})
    try:
        assert emulator.local(f"debugged-functions?{query}", "POST") == [arn]
        for qualified in (name, f"{name}:{version}"):
            assert invoke(emulator, qualified, {"n": 1})["event"] == {"n": 1}
        assert invoke(emulator, replica, {"n": 2}, region)["event"] == {"n": 2}
        assert invoke(emulator, name, "fail")["errorType"] == "KeyError"
        group = f"/aws/lambda/{name}"
        events = emulator.client("logs").filter_log_events(logGroupName=group)["events"]
        assert "a line" in [event["message"] for event in events]

        assert emulator.local(f"debugged-functions?arn={arn}", "DELETE") == []
        assert invoke(emulator, name, {}) == "own"
        emulator.local(f"debugged-functions?{query}", "POST")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    # The debugged process ended without a word.
    assert invoke(emulator, name, {}) == "own"
    assert emulator.local("debugged-functions") == []
