"""What the school writes to a student, in English, Hindi and Vietnamese."""

from dataclasses import dataclass
from string import Template

FALLBACK = "en"


@dataclass(frozen=True, slots=True)
class Letter:
    """Subject and text, with $name and $url to be filled in."""

    subject: str
    text: str


CREATED = {
    "en": Letter(
        "Welcome to the school",
        "Hello $name,\n\nyour account is ready. Sign in with this e-mail address:\n$url\n\n"
        "The first time, choose “Forgot password”: we send a code to this address.\n\n"
        "If you did not ask for an account, ignore this letter.\n",
    ),
    "hi": Letter(
        "विद्यालय में आपका स्वागत है",
        "नमस्ते $name,\n\nआपका खाता तैयार है। इसी ई-मेल पते से साइन इन करें:\n$url\n\n"
        "पहली बार “पासवर्ड भूल गए” चुनें: हम इस पते पर एक कोड भेजेंगे।\n\n"
        "यदि आपने खाता नहीं माँगा था, तो इस पत्र पर ध्यान न दें।\n",
    ),
    "vi": Letter(
        "Chào mừng bạn đến với trường",
        "Xin chào $name,\n\ntài khoản của bạn đã sẵn sàng. Hãy đăng nhập bằng địa chỉ e-mail này:\n"
        "$url\n\nLần đầu tiên, hãy chọn “Quên mật khẩu”: chúng tôi sẽ gửi mã đến địa chỉ này.\n\n"
        "Nếu bạn không yêu cầu tài khoản, xin bỏ qua thư này.\n",
    ),
}
LETTERS = {"AccountCreated": CREATED}


def language(locale: str | None) -> str:
    """Return the language of a locale that there are letters in, else English (BCP 47, 2.2.1)."""
    primary = (locale or "").partition("-")[0].lower()
    return primary if primary in CREATED else FALLBACK


def write(kind: str, locale: str | None, name: str, url: str) -> Letter | None:
    """Return the letter of a kind, or None where no letter is written for it."""
    by_language = LETTERS.get(kind)
    if by_language is None:
        return None
    template = by_language[language(locale)]
    # One pass: a name that holds $url is a name.
    text = Template(template.text).substitute(name=" ".join(name.split()), url=url)
    return Letter(template.subject, text)
