"""An OpenID provider in a thread of the test: it signs one person in without asking."""

import base64
import json
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

EMAIL = "teacher@university.example"


class SchoolLogin(BaseHTTPRequestHandler):
    """Discovery, authorization and token endpoints (OpenID Connect Core and Discovery).

    `cognito` is the emulator's endpoint: on AWS, the browser returns to the user pool's domain.
    """

    cognito = ""

    @property
    def issuer(self) -> str:
        return f"http://{self.headers['Host']}"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            return self._json(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "userinfo_endpoint": f"{self.issuer}/userinfo",
                    "jwks_uri": f"{self.issuer}/keys",
                }
            )
        (state,) = parse_qs(parts.query)["state"]
        self.send_response(302)
        query = urlencode({"code": "school-code", "state": state})
        self.send_header("Location", f"{self.cognito}/oauth2/idpresponse?{query}")
        self.send_header("Content-Length", "0")
        return self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        claims = {"iss": self.issuer, "sub": "u-7", "email": EMAIL, "name": "Ada Teacher"}
        parts = (json.dumps({"alg": "none"}), json.dumps(claims), "")
        encoded = (base64.urlsafe_b64encode(it.encode()).decode().rstrip("=") for it in parts)
        self._json(
            {"access_token": "opaque", "token_type": "Bearer", "id_token": ".".join(encoded)}
        )

    def _json(self, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""
