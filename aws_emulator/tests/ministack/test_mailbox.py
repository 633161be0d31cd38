"""The page of the sent emails."""

import base64
from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.ministack import mailbox


class Reader(HTMLParser):
    """Collects texts and links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def email(subject: str = "Hello", text: str = "", to: str = "a@app.example") -> dict[str, Any]:
    return {
        "To": [to],
        "Source": "sender@app.example",
        "Subject": subject,
        "BodyText": text,
        "Timestamp": 1_800_000_000.5,
    }


texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=60)


@given(texts, texts)
def test_page_shows_texts_and_adds_no_elements(subject: str, text: str) -> None:
    plain = Reader(mailbox.render([email("", "")]))
    read = Reader(mailbox.render([email(subject, text)]))
    assert subject in read.text
    assert text in read.text
    assert [it for it in read.tags if it != "a"] == plain.tags
    assert all(link.startswith(("http://", "https://")) for link in read.links)


def test_link_of_a_proof_and_attachments_can_be_opened() -> None:
    link = "https://app.example/confirm.html#r1.t&1"
    sent = email(text=f"Open {link}\nThank you")
    data = base64.b64encode(b"BEGIN:VCALENDAR").decode()
    sent["Attachments"] = [
        {"ContentType": "application/ics", "FileName": "appointment.ics", "Data": data}
    ]
    read = Reader(mailbox.render([sent]))
    assert read.links == [link, f"data:application/ics;base64,{data}"]
    assert "appointment.ics" in read.text


def test_newest_email_of_a_recipient_is_first() -> None:
    emails = [email("one"), email("two"), email("three", to="b@app.example")]
    page = mailbox.render(emails, "a@app.example")
    assert page.index("<h2>two") < page.index("<h2>one")
    assert "three" not in page
    assert "2 emails" in page
    assert "1 email," in mailbox.render(emails, "b@app.example")
