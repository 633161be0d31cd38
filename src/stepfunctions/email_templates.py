"""Email texts for students in English, Hindi and Vietnamese."""

from dataclasses import dataclass
from string import Template
from typing import Final

FALLBACK_LANGUAGE: Final = "en"


@dataclass(frozen=True, slots=True)
class Email:
    """Subject and plain text; a template's text has the placeholders $name and $url."""

    subject: str
    text: str


ACCOUNT_CREATED: Final = {
    "en": Email(
        "Welcome to Meridian School",
        "Hello $name,\n\nYour account is ready. Sign in with this email address:\n$url\n\n"
        "You don't need a password: we'll send a code to this address each time you sign in."
        "\n\nIf you didn't create an account, you can ignore this email.\n",
    ),
    "hi": Email(
        "विद्यालय में आपका स्वागत है",
        "नमस्ते $name,\n\nआपका खाता तैयार है। इसी ई-मेल पते से साइन इन करें:\n$url\n\n"
        "पासवर्ड की ज़रूरत नहीं है: हर बार साइन इन करने पर हम इस पते पर एक कोड भेजेंगे।\n\n"
        "यदि आपने खाता नहीं बनाया है, तो इस ई-मेल को अनदेखा करें।\n",
    ),
    "vi": Email(
        "Chào mừng bạn đến với trường",
        "Xin chào $name,\n\nTài khoản của bạn đã sẵn sàng. Hãy đăng nhập bằng địa chỉ email này:\n"
        "$url\n\nBạn không cần mật khẩu: mỗi lần đăng nhập, chúng tôi sẽ gửi mã đến địa chỉ này."
        "\n\n"
        "Nếu bạn không tạo tài khoản, vui lòng bỏ qua email này.\n",
    ),
}
TEMPLATES: Final = {"AccountCreated": ACCOUNT_CREATED}


def language(locale: str | None) -> str:
    """Return the locale's language if it has a template, otherwise English (BCP 47, 2.2.1)."""
    primary = (locale or "").partition("-")[0].lower()
    return primary if primary in ACCOUNT_CREATED else FALLBACK_LANGUAGE


def render(kind: str, locale: str | None, name: str, url: str) -> Email | None:
    """Return the email for an event kind, or None if the kind has no template."""
    by_language = TEMPLATES.get(kind)
    if by_language is None:
        return None
    template = by_language[language(locale)]
    # One pass: substitute() doesn't expand a "$url" inside the name.
    text = Template(template.text).substitute(name=" ".join(name.split()), url=url)
    return Email(template.subject, text)
