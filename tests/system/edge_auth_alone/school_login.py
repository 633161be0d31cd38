"""An OpenID and SAML provider in a thread of the test: it signs people in without asking."""

import base64
import html
import json
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

EMAIL = "teacher@university.example"
SAML_EMAIL = "librarian@university.example"
#: A SAML response without a signature, which the emulator doesn't check (SAML 2.0 Core, 3.2.2).
_RESPONSE = """\
<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r" Version="2.0">
<Assertion ID="_a" Version="2.0"><Subject><NameID>l-9</NameID></Subject><AttributeStatement>
<Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"><AttributeValue>{email}</AttributeValue></Attribute>
<Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"><AttributeValue>Lin Librarian</AttributeValue></Attribute>
</AttributeStatement></Assertion></samlp:Response>"""  # noqa: E501
_PAGE = """\
<!doctype html><title>University</title>
<form method="post" action="{url}"><input name="SAMLResponse" value="{response}"><input name="RelayState" value="{state}"></form>
<script>document.forms[0].submit()</script>"""  # noqa: E501


class SchoolLogin(BaseHTTPRequestHandler):
    """Discovery, authorization and token endpoints (OpenID Connect), and the sign-in page of SAML.

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
        if parts.path == "/saml":
            # The emulator takes the URL of the metadata for that of the sign-in page.
            return self._answer_saml(parse_qs(parts.query)["RelayState"][0])
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

    def _answer_saml(self, state: str) -> None:
        response = base64.b64encode(_RESPONSE.format(email=SAML_EMAIL).encode()).decode()
        url = f"{self.cognito}/saml2/idpresponse"
        page = _PAGE.format(url=url, response=response, state=html.escape(state))
        self._answer("text/html", page.encode())

    def _json(self, document: Any) -> None:
        self._answer("application/json", json.dumps(document).encode())

    def _answer(self, content_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""
