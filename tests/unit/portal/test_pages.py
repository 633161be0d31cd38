"""Static checks of the portal's pages and scripts, without a browser."""

import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bookings.errors import BookingError
from edge_auth import error_pages
from edge_auth.errors import NotEntitledError
from edge_auth.settings import Site
from media import errors as media_errors
from office.errors import OfficeError
from stepfunctions import address_change, erasure_request, export_request, vocabularies
from tests.support import school_api
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources
from tools import portal

WEB = ROOT / "web"
PAGES = sorted(WEB.rglob("*.html"))
#: Files of other projects, as they publish them.
VENDOR = WEB / "public" / "vendor"
SCRIPTS = [it for it in sorted(WEB.rglob("*.js")) if VENDOR not in it.parents]
#: The files of uPlot 1.6.32 in npm's package `uplot`.
UPLOT = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
#: Paths that edge_auth serves itself.
EDGE_AUTH_PATHS = {
    "/auth/sign-in",
    "/auth/sign-out",
    "/auth/passkey",
    "/auth/refresh",
    "/auth/session",
}


class Page(HTMLParser):
    """Every element of a page as (name, attributes)."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


def served(address: str) -> Path:
    """Return the file that CloudFront serves for a path."""
    path = address.partition("?")[0].partition("#")[0]
    folder = "members" if path.startswith(("/app/", "/courses/", "/premium/")) else "public"
    return WEB / folder / (path.lstrip("/") + ("index.html" if path.endswith("/") else ""))


def named(path: Path) -> str:
    return str(path.relative_to(WEB))


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_page_has_title_language_and_skip_link(path: Path) -> None:
    page = Page(path)
    assert page.all("html")[0]["lang"] == "en"
    described = {it["name"]: it["content"] for it in page.all("meta") if "name" in it}
    assert "viewport" in described
    assert 20 <= len(described["description"]) <= 160
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
    assert page.all("a")[0] == {"class": "skip", "href": "#main"}
    ids = [it["id"] for _, it in page.elements if "id" in it]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_page_complies_with_content_security_policy(path: Path) -> None:
    """`default-src 'self'` forbids inline code and other origins."""
    page = Page(path)
    for tag, attributes in page.elements:
        assert not {"style", *(name for name in attributes if name.startswith("on"))} & set(
            attributes
        ), (tag, attributes)
    assert not page.all("style", "iframe", "object", "base")
    for script in page.all("script"):
        assert served(script["src"]).is_file()
    for link in page.all("link"):
        assert served(link["href"]).is_file()


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_link_has_target(path: Path) -> None:
    for link in Page(path).all("a"):
        address = link["href"]
        target = address.partition("?")[0].partition("#")[0]
        assert not target or target in EDGE_AUTH_PATHS or served(target).is_file(), address


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_field_has_label_and_error_element(path: Path) -> None:
    page = Page(path)
    labelled = {it["for"] for it in page.all("label") if "for" in it}
    ids = {it["id"] for _, it in page.elements if "id" in it}
    for field in page.all("input", "select", "textarea"):
        assert field.get("type") == "checkbox" or field["id"] in labelled, field
        assert set(field.get("aria-describedby", "").split()) <= ids, field


def test_every_page_has_same_navigation() -> None:
    navigations = {
        re.sub(
            r' aria-current="page"',
            "",
            path.read_text().partition("<nav")[2].partition("</nav>")[0],
        )
        for path in PAGES
    }
    assert len(navigations) == 1


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_script_uses_no_markup_sinks(path: Path) -> None:
    text = path.read_text()
    for sink in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        ".style",
    ):
        assert sink not in text, sink
    for imported in re.findall(r'from "([^"]+)"', text):
        assert (path.parent / imported).is_file()


def test_vendored_files_are_those_that_their_project_published() -> None:
    files = {it.relative_to(VENDOR).as_posix(): it for it in VENDOR.rglob("*") if it.is_file()}
    assert files.keys() == {f"uplot/{it}" for it in (*UPLOT, "LICENSE.txt")}
    for name, digest in UPLOT.items():
        content = files[f"uplot/{name}"].read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
    assert "The MIT License" in files["uplot/LICENSE.txt"].read_text()


def test_script_tag_is_on_every_page_and_at_most_5_kb_as_sent() -> None:
    script = WEB / "public/js/meridian.js"
    for path in PAGES:
        assert "/js/meridian.js" in {it["src"] for it in Page(path).all("script")}
    # CloudFront compresses text of 1,000 bytes or more ("Serve compressed files").
    assert len(gzip.compress(script.read_bytes(), 6, mtime=0)) <= 5 * 1024


def schema(name: str) -> dict[str, Any]:
    schema_properties = school_api.document()["components"]["schemas"][name]["properties"]
    assert isinstance(schema_properties, dict)
    return schema_properties


def values(page: Page, after: str) -> list[str]:
    """Return the option values of the select element with a name."""
    names = [(tag, it) for tag, it in page.elements if tag in {"select", "option"}]
    start = next(i for i, (tag, it) in enumerate(names) if tag == "select" and it["name"] == after)
    option_values = []
    for tag, attributes in names[start + 1 :]:
        if tag == "select":
            break
        option_values.append(attributes["value"])
    return option_values


def test_forms_match_schemas() -> None:
    account_page = Page(WEB / "members" / "app" / "index.html")
    preferences, feedback = schema("Preferences"), schema("Feedback")
    assert values(account_page, "locale") == preferences["locale"]["enum"]
    assert values(account_page, "topic") == feedback["topic"]["enum"]
    boxes = [it["value"] for it in account_page.all("input") if it.get("name") == "interests"]
    assert boxes == preferences["interests"]["items"]["enum"]
    longest = {
        it["name"]: it["maxlength"]
        for it in account_page.all("input", "textarea")
        if "maxlength" in it
    }
    assert longest == {
        "email": str(schema("AddressRequest")["email"]["maxLength"]),
        "note": str(schema("Booking")["note"]["maxLength"]),
        "displayName": str(preferences["displayName"]["maxLength"]),
        "timeZone": str(preferences["timeZone"]["maxLength"]),
        "message": str(feedback["message"]["maxLength"]),
    }
    availability = schema("Availability")
    for field in Page(WEB / "members" / "app" / "advisors.html").all("input", "textarea"):
        name = field["name"]
        if name == "advisorId":
            assert field["maxlength"] == str(
                school_api.document()["components"]["schemas"]["AdvisorId"]["maxLength"]
            )
        elif field.get("type") == "number":
            limits = availability[name]
            assert (field["min"], field["max"]) == (str(limits["minimum"]), str(limits["maximum"]))
        else:
            of_day = availability["hours"]["properties"]
            assert field["maxlength"] == str((availability | of_day)[name]["maxLength"])
    office = Page(WEB / "members" / "app" / "office.html")
    (reason,) = [it for it in office.all("input") if it["id"] == "reason"]
    assert reason["maxlength"] == str(schema("OfficeChange")["reason"]["maxLength"])
    students = Page(WEB / "members" / "app" / "students.html")
    lengths = {it["name"]: it["maxlength"] for it in students.all("input") if "maxlength" in it}
    assert lengths == {
        "text": str(schema("StudentSearch")["text"]["maxLength"]),
        "why": str(schema("AccessChange")["reason"]["maxLength"]),
        "course-why": str(schema("AccessChange")["reason"]["maxLength"]),
        "erase-email": str(schema("StudentErasure")["email"]["maxLength"]),
        "erase-why": str(schema("StudentErasure")["reason"]["maxLength"]),
        "course": str(school_api.document()["components"]["schemas"]["CourseId"]["maxLength"]),
    }
    parked = Page(WEB / "members" / "app" / "parked.html")
    (reason,) = [it for it in parked.all("input") if it["id"] == "reason"]
    assert reason["maxlength"] == str(schema("ParkedAction")["reason"]["maxLength"])
    sign_up = Page(WEB / "public" / "sign-up.html")
    for field in sign_up.all("input"):
        if "maxlength" in field:
            assert field["maxlength"] == str(schema("AccountRequest")[field["name"]]["maxLength"])


def test_scripts_have_message_for_every_error_code() -> None:
    """Every code that a page can receive; other errors have a message by status."""
    with_message = set(
        re.findall(r"^  ([a-z_]+): \"", (WEB / "public/js/portal.js").read_text(), re.MULTILINE)
    )
    document = json.dumps(school_api.document()).replace("\\", "")
    codes = set(re.findall(r'"code": "([a-z_]+)"', document))
    codes |= {error.code for error in media_errors.MediaError.__subclasses__()}
    codes |= {error.code for error in BookingError.__subclasses__()}
    codes |= {error.code for error in OfficeError.__subclasses__()}
    codes |= address_change.REFUSALS.keys() | erasure_request.REFUSALS.keys()
    codes |= export_request.REFUSALS.keys()
    # No page sends such a request.
    never = {
        "operation_unknown",
        "media_type_unknown",
        "parameters_invalid",
        "method_unknown",
        "not_allowed",
        "refused",
        "not_through_cloudfront",
    }
    assert codes - with_message - never == {
        "internal",
        "profile_unknown",
        "request_unknown",
    }
    assert with_message <= codes


def test_catalogue_pages_have_message_for_every_error_code() -> None:
    scripts = "".join(
        (WEB / "public/js" / name).read_text() for name in ("catalogue-api.js", "catalogue.js")
    )
    with_message = set(re.findall(r"^  ([a-z_]+): \"", scripts, re.MULTILINE))
    sources = "".join(path.read_text() for path in (ROOT / "src/catalogue").glob("*.py"))
    codes = set(re.findall(r'(?:Request|Conflict)Error\(\s*f?"([a-z0-9_{}]+)"', sources))
    codes |= set(re.findall(r'^    code = "([a-z_]+)"', sources, re.MULTILINE))
    # The pages send no other form, and an unknown path means that there is no catalogue.
    never = {
        *("after_malformed", "body_malformed", "control_character", "escape_malformed"),
        *("event_malformed", "field_unknown", "internal", "language_malformed"),
        *("limit_malformed", "migration_failed"),
        *("method_not_allowed", "not_found", "not_utf8", "parameter_repeated"),
        *("parameter_unknown", "query_too_long", "request_id_malformed", "settings_invalid"),
        *("subject_malformed", "version_malformed", "{name}_malformed"),
    }
    assert codes - with_message == never
    # The forms of {name}_malformed that the editor's fields can have.
    assert with_message - codes == {"summary_malformed", "title_malformed"}


def test_picture_of_every_prepared_subject_exists() -> None:
    script = (WEB / "public/js/catalogue-api.js").read_text()
    listed = script.partition("SUBJECTS = new Map([")[2].partition("]);")[0]
    subjects = dict(re.findall(r'\["([a-z]+)", "([^"]+)"\]', listed))
    pictures = {path.stem for path in (WEB / "public/art").glob("*.svg")}
    assert subjects.keys() == pictures - {"other"}
    # A subject whose name differs stays untranslated.
    demo = (ROOT / "tools" / "regional" / "courses.sql").read_text().partition(";")[0]
    assert subjects.items() <= dict(re.findall(r"\('([a-z]+)', '([^']+)'\)", demo)).items()


def test_content_security_policy_is_strict() -> None:
    policy = resources(ROOT / "stacks" / "edge.yaml")["SecurityHeaders"]["Properties"]
    headers = policy["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    directives = headers["ContentSecurityPolicy"]["ContentSecurityPolicy"].split(";")
    directives_by_name = {it.split()[0]: it.split()[1:] for it in directives}
    assert directives_by_name["default-src"] == ["'self'"]
    assert not {"script-src", "style-src", "connect-src"} & directives_by_name.keys()
    assert directives_by_name["media-src"] == ["'self'", "blob:"]
    assert directives_by_name["require-trusted-types-for"] == ["'script'"]
    for name in ("object-src", "base-uri", "frame-ancestors"):
        assert directives_by_name[name] == ["'none'"]


def test_upload_sets_content_types_and_write_key() -> None:
    put: dict[str, dict[str, Any]] = {}

    class Bucket:
        def put_object(self, **arguments: Any) -> None:
            put[arguments["Key"]] = arguments

    address = "https://school.example"
    count = portal.upload_pages(
        Bucket(), "portal", "a-key", ["eu-west-2", "ap-south-1"], origin=address
    )
    files = [path for top in portal.FOLDERS for path in (WEB / top).rglob("*") if path.is_file()]
    assert count == len(files)
    generated = {f"public/{it}" for it in ("portal.json", "vocabularies.json", "robots.txt")}
    copies = {key for key in put if key.startswith("public/assets/")}
    assert put.keys() - copies == {*map(named, files), *generated, "public/sitemap.xml"}
    assert put["public/vocabularies.json"]["Body"] == vocabularies.FILE.read_bytes()
    assert put["public/vocabularies.json"]["ContentType"] == "application/json"
    assert json.loads(put["public/portal.json"]["Body"]) == {
        "writeKey": "a-key",
        "regions": ["eu-west-2", "ap-south-1"],
    }
    kinds = {Path(key).suffix: it["ContentType"] for key, it in put.items()}
    assert kinds == {
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".txt": "text/plain; charset=utf-8",
        ".xml": kinds[".xml"],
        ".woff2": "font/woff2",
        ".json": "application/json",
        ".m3u8": "application/vnd.apple.mpegurl",
        ".m4s": "video/iso.segment",
        ".mp4": "video/mp4",
        ".vtt": "text/vtt; charset=utf-8",
    }
    assert kinds[".xml"].partition(";")[0] in {"application/xml", "text/xml"}
    ages = {Path(key).suffix: it["CacheControl"] for key, it in put.items() if key not in copies}
    assert ages[".html"] == "public, max-age=0, s-maxage=300"
    assert ages[".css"] == ages[".js"] == "public, max-age=300, s-maxage=300"
    assert ages[".woff2"] == "public, max-age=31536000, immutable"
    assert f'content="{address}/preview.png"'.encode() in put["public/index.html"]["Body"]
    assert {put[key]["CacheControl"] for key in copies} == {ages[".woff2"]}
    # Each file that a page loads has a name that changes with its content, and is uploaded before.
    order = [*put]
    for key in (it for it in order if it.endswith(".html")):
        loaded = re.findall(r'(?:src|poster)="(/[^"]+)"|rel="(?:icon|stylesheet)" href="([^"]+)"',
                            put[key]["Body"].decode())  # fmt: skip
        for path in ("public" + (source or link) for source, link in loaded):
            assert path in copies or path.startswith("public/media/"), (key, path)
            assert path.startswith("public/media/") or order.index(path) < order.index(key)
    version = portal.assets_version()
    for key in copies:
        original = key.replace(f"assets/{version}/", "")
        assert put[key]["Body"] == put[original]["Body"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [("js/home.js", True), ("lang/vi.json", True), ("index.html", False), ("robots.txt", False)],
)
def test_version_of_the_copies_changes_with_a_script_and_not_with_a_page(
    tmp_path: Path, name: str, changes: bool
) -> None:
    for folder in ("js", "lang"):
        (tmp_path / "public" / folder).mkdir(parents=True)
    before = portal.assets_version(tmp_path)
    (tmp_path / "public" / name).write_text("new")
    assert (portal.assets_version(tmp_path) != before) == changes


def test_local_copies_are_asked_for_each_time() -> None:
    assert (
        portal.cache_control("public/assets/1/js/home.js", 0) == "public, max-age=0, s-maxage=300"
    )


def test_site_map_and_robots_name_the_public_pages_only() -> None:
    names = portal.indexed_pages()
    assert {"index.html", "sign-up.html"} <= set(names)
    assert not {"confirm.html", "consent.html", "unavailable.html"} & set(names)
    document = portal.site_map("https://school.example", names)
    locations = [it.text for it in ElementTree.fromstring(document).iter() if it.text]
    assert "https://school.example/" in locations
    assert "https://school.example/sign-up.html" in locations
    robots = portal.robots("https://school.example")
    assert "Sitemap: https://school.example/sitemap.xml" in robots
    assert "Sitemap" not in portal.robots("")
    for folder in (WEB / "members").iterdir():
        # The courses are listed on a public page.
        assert f"Disallow: /{folder.name}/\n" in robots or folder.name == "courses"


def loaded_by(path: Path) -> set[Path]:
    """Return the files that a browser loads with a page, without a video or API calls."""
    page = Page(path)
    files = {path, *(served(it["src"]) for it in page.all("script", "img") if "src" in it)}
    files |= {served(it["href"]) for it in page.all("link")}
    waiting = [it for it in files if it.suffix == ".js"]
    while waiting:
        script = waiting.pop()
        imports = {
            script.parent / name for name in re.findall(r'from "([^"]+)"', script.read_text())
        }
        waiting += imports - files
        files |= imports
    return files


# The cockpit has a library for its charts, the API's page one text for each operation.
@pytest.mark.parametrize(
    "path", [it for it in PAGES if it.name not in {"api.html", "operator.html"}], ids=named
)
def test_first_view_has_at_most_60_kb_as_sent(path: Path) -> None:
    """CloudFront compresses text; fonts and pictures are compressed already."""
    sizes = {
        file: len(gzip.compress(file.read_bytes(), 6, mtime=0))
        if file.suffix in {".html", ".css", ".js", ".svg", ".json"}
        else file.stat().st_size
        for file in loaded_by(path)
    }
    assert sum(sizes.values()) <= 60 * 1024, sizes
    # With the texts of the longest language.
    texts = (WEB / "public" / "lang" / "hi.json").read_bytes()
    assert sum(sizes.values()) + len(gzip.compress(texts, 6, mtime=0)) <= 72 * 1024, sizes


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_first_paint_waits_only_for_page_and_styles(path: Path) -> None:
    """No script and no picture that loads later delays the largest element of the first view."""
    page = Page(path)
    for script in page.all("script"):
        assert script.keys() & {"async", "defer"} or script["type"] == "module", script
    styles = [it for it in page.all("link") if it["rel"] == "stylesheet"]
    assert len(styles) <= 3
    font = next(it for it in page.all("link") if it["rel"] == "preload")
    assert (font["as"], font["crossorigin"], served(font["href"]).is_file()) == ("font", "", True)
    assert not [it for it in page.all("img") if it.get("loading") == "lazy"]


@pytest.mark.parametrize("name", ["index.html", "sign-up.html"])
def test_public_page_has_a_preview(name: str) -> None:
    described = {
        it.get("property", it.get("name", "")): it["content"]
        for it in Page(WEB / "public" / name).all("meta")
        if "content" in it
    }
    for tag in ("og:title", "og:description", "og:image", "og:type", "twitter:card"):
        assert described.get(tag), tag
    picture = WEB / "public" / described["og:image"].lstrip("/")
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(picture.read_bytes()[16:20]), picture.stat().st_size < 100_000) == (
        1200,
        True,
    )


def test_upload_names_the_mailbox_of_the_local_system_only() -> None:
    for mailbox in ("", "http://127.0.0.1:4566/_local/mailbox"):
        settings: dict[str, Any] = {}

        class Bucket:
            def put_object(self, *, stored: dict[str, Any] = settings, **arguments: Any) -> None:
                if arguments["Key"] == "public/portal.json":
                    stored |= json.loads(arguments["Body"])

        portal.upload_pages(Bucket(), "portal", "a-key", ["eu-west-2"], mailbox=mailbox)
        assert settings.get("mailbox", "") == mailbox
        assert ("mailbox" in settings) == bool(mailbox)


def test_portal_and_edge_auth_name_the_paid_account_in_the_same_words() -> None:
    """A student can see either page: the portal's for lessons, the other for further rules."""
    error_page = error_pages.render(NotEntitledError(), site=Site("x"), request_id="x")
    for page in ((WEB / "public/upgrade.html").read_text(), error_page):
        assert "requires a paid account</h1>" in page
        assert ">Refresh access</a>" in page
        assert "membership" not in page.lower()


def test_portal_messages_do_not_speak_of_the_school_as_a_server() -> None:
    for script in SCRIPTS:
        assert not re.search(r"[Tt]he school is (?:\w+ )?(?:busy|unavailable)", script.read_text())
