"""Email texts for students in English, Hindi and Vietnamese."""

import unicodedata
from dataclasses import dataclass
from string import Template
from typing import Final

FALLBACK_LANGUAGE: Final = "en"


@dataclass(frozen=True, slots=True)
class Email:
    """Subject and plain text; a template's text has the placeholder $url, and may have $name.

    `calendar` is an iCalendar object with `method`, b"" for none.
    """

    subject: str
    text: str
    calendar: bytes = b""
    method: str = ""


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
# The next three go to addresses that nobody has proved: they contain none of the form's text.
PROOF_REQUESTED: Final = {
    "en": Email(
        "Confirm your email address",
        "Hello,\n\nThe sign-up form of Meridian School was sent with this email address. To create "
        "the account, open this link within 24 hours:\n$url\n\nIf you didn't send the form, ignore "
        "this email: no account will be created.\n",
    ),
    "hi": Email(
        "अपने ई-मेल पते की पुष्टि करें",
        "नमस्ते,\n\nMeridian School का साइन-अप फ़ॉर्म इस ई-मेल पते के साथ भेजा गया है। खाता बनाने के लिए "
        "यह लिंक 24 घंटे के भीतर खोलें:\n$url\n\nयदि आपने फ़ॉर्म नहीं भेजा है, तो इस ई-मेल को अनदेखा करें: "
        "कोई खाता नहीं बनाया जाएगा।\n",
    ),
    "vi": Email(
        "Xác nhận địa chỉ email của bạn",
        "Xin chào,\n\nBiểu mẫu đăng ký của Meridian School đã được gửi với địa chỉ email này. "
        "Để tạo tài khoản, hãy mở liên kết này trong vòng 24 giờ:\n$url\n\n"
        "Nếu bạn không gửi biểu mẫu, vui lòng bỏ qua email này: sẽ không có tài khoản nào được tạo."
        "\n",
    ),
}
ACCOUNT_EXISTS: Final = {
    "en": Email(
        "You already have an account",
        "Hello,\n\nThe sign-up form of Meridian School was sent with this email address, which "
        "already has an account. Sign in with it:\n$url\n\nIf you didn't send the form, you can "
        "ignore this email.\n",
    ),
    "hi": Email(
        "आपका खाता पहले से मौजूद है",
        "नमस्ते,\n\nMeridian School का साइन-अप फ़ॉर्म इस ई-मेल पते के साथ भेजा गया है, जिसका खाता पहले से "
        "मौजूद है। इसी पते से साइन इन करें:\n$url\n\nयदि आपने फ़ॉर्म नहीं भेजा है, तो इस ई-मेल को "
        "अनदेखा करें।\n",
    ),
    "vi": Email(
        "Bạn đã có tài khoản",
        "Xin chào,\n\nBiểu mẫu đăng ký của Meridian School đã được gửi với địa chỉ email này, "
        "và địa chỉ này đã có tài khoản. Hãy đăng nhập:\n$url\n\n"
        "Nếu bạn không gửi biểu mẫu, vui lòng bỏ qua email này.\n",
    ),
}
CONSENT_REQUESTED: Final = {
    "en": Email(
        "A student asks for your consent",
        "Hello,\n\nThe sign-up form of Meridian School names this email address as the address of "
        "a student's parent or guardian. Students under 18 need a guardian's consent. To see the "
        "student's address and to decide, open this link within 24 hours:\n$url\n\nWithout your "
        "consent no account will be created. If you don't know about this, ignore this email.\n",
    ),
    "hi": Email(
        "एक छात्र आपकी सहमति चाहता है",
        "नमस्ते,\n\nMeridian School के साइन-अप फ़ॉर्म में यह ई-मेल पता किसी छात्र के माता-पिता या "
        "अभिभावक के पते के रूप में दिया गया है। 18 वर्ष से कम उम्र के छात्रों को अभिभावक की सहमति चाहिए। "
        "छात्र का पता देखने और निर्णय लेने के लिए यह लिंक 24 घंटे के भीतर खोलें:\n$url\n\nआपकी सहमति के "
        "बिना कोई खाता नहीं बनाया जाएगा। यदि आपको इसकी जानकारी नहीं है, तो इस ई-मेल को अनदेखा करें।\n",
    ),
    "vi": Email(
        "Một học sinh cần sự đồng ý của bạn",
        "Xin chào,\n\nBiểu mẫu đăng ký của Meridian School ghi địa chỉ email này là địa chỉ của "
        "cha mẹ hoặc người giám hộ của một học sinh. Học sinh dưới 18 tuổi cần sự đồng ý của "
        "người giám hộ. Để xem địa chỉ của học sinh và quyết định, hãy mở liên kết này trong "
        "vòng 24 giờ:\n"
        "$url\n\nNếu bạn không đồng ý, sẽ không có tài khoản nào được tạo. Nếu bạn không biết về "
        "việc này, vui lòng bỏ qua email này.\n",
    ),
}
# To the new address, which nobody has proved: these two contain nothing of the account.
NEW_ADDRESS: Final = {
    "en": Email(
        "Confirm your new email address",
        "Hello,\n\nA student of Meridian School would like to sign in with this email "
        "address. If it's you, open this link within 24 hours:\n$url\n\nWe've sent another "
        "link to the present address: open both. If it isn't you, ignore this "
        "email: nothing will change.\n",
    ),
    "hi": Email(
        "अपने नए ई-मेल पते की पुष्टि करें",
        "नमस्ते,\n\nMeridian School का एक छात्र इस ई-मेल पते से साइन इन करना चाहता है। यदि "
        "वह आप हैं, तो यह लिंक 24 घंटे के भीतर खोलें:\n$url\n\nहमने वर्तमान पते पर दूसरा "
        "लिंक भेजा है: दोनों खोलें। यदि वह आप नहीं हैं, तो इस ई-मेल को अनदेखा करें: कुछ नहीं बदलेगा।\n",
    ),
    "vi": Email(
        "Xác nhận địa chỉ email mới của bạn",
        "Xin chào,\n\nMột học sinh của Meridian School muốn đăng nhập bằng địa chỉ email "
        "này. Nếu đó là bạn, hãy mở liên kết này trong vòng 24 giờ:\n$url\n\nChúng tôi đã "
        "gửi một liên kết khác đến địa chỉ hiện tại: hãy mở cả hai. Nếu đó không phải là "
        "bạn, vui lòng bỏ qua email này: sẽ không có gì thay đổi.\n",
    ),
}
ADDRESS_TAKEN: Final = {
    "en": Email(
        "This email address has an account already",
        "Hello,\n\nA student of Meridian School would like to sign in with this email "
        "address, which already has an account. Sign in with it:\n$url\n\nIf it wasn't you, "
        "ignore this email: nothing will change.\n",
    ),
    "hi": Email(
        "इस ई-मेल पते का खाता पहले से मौजूद है",
        "नमस्ते,\n\nMeridian School का एक छात्र इस ई-मेल पते से साइन इन करना चाहता है, "
        "जिसका खाता पहले से मौजूद है। इसी पते से साइन इन करें:\n$url\n\nयदि वह आप नहीं थे, "
        "तो इस ई-मेल को अनदेखा करें: कुछ नहीं बदलेगा।\n",
    ),
    "vi": Email(
        "Địa chỉ email này đã có tài khoản",
        "Xin chào,\n\nMột học sinh của Meridian School muốn đăng nhập bằng địa chỉ email "
        "này, và địa chỉ này đã có tài khoản. Hãy đăng nhập:\n$url\n\nNếu đó không phải là "
        "bạn, vui lòng bỏ qua email này: sẽ không có gì thay đổi.\n",
    ),
}
OLD_ADDRESS: Final = {
    "en": Email(
        "Do you want to change your email address?",
        "Hello $name,\n\nYour account at Meridian School would like to use another email "
        "address. To agree, open this link within 24 hours:\n$url\n\nWe've sent another "
        "link to the new address: open both. If you didn't ask for it, don't open the link: "
        "your address stays. Then someone else is signed in with your account: "
        "please tell the school.\n",
    ),
    "hi": Email(
        "क्या आप अपना ई-मेल पता बदलना चाहते हैं?",
        "नमस्ते $name,\n\nMeridian School में आपका खाता दूसरे ई-मेल पते का उपयोग करना चाहता "
        "है। सहमति के लिए यह लिंक 24 घंटे के भीतर खोलें:\n$url\n\nहमने नए पते पर दूसरा लिंक "
        "भेजा है: दोनों खोलें। यदि आपने यह नहीं माँगा, तो लिंक न खोलें: आपका पता वही रहेगा। "
        "तब कोई और आपके खाते में साइन इन है: कृपया विद्यालय को बताएँ।\n",
    ),
    "vi": Email(
        "Bạn có muốn đổi địa chỉ email không?",
        "Xin chào $name,\n\nTài khoản của bạn tại Meridian School muốn dùng một địa chỉ "
        "email khác. Để đồng ý, hãy mở liên kết này trong vòng 24 giờ:\n$url\n\nChúng tôi "
        "đã gửi một liên kết khác đến địa chỉ mới: hãy mở cả hai. Nếu bạn không yêu cầu, "
        "đừng mở liên kết: địa chỉ của bạn được giữ nguyên. Khi đó có người khác đang đăng "
        "nhập vào tài khoản của bạn: vui lòng báo cho trường.\n",
    ),
}
ADDRESS_CHANGED: Final = {
    "en": Email(
        "Your email address has changed",
        "Hello $name,\n\nFrom now on you sign in with this email address:\n$url\n\nYou are "
        "signed out on all devices. The former address doesn't work any more.\n",
    ),
    "hi": Email(
        "आपका ई-मेल पता बदल गया है",
        "नमस्ते $name,\n\nअब से आप इस ई-मेल पते से साइन इन करेंगे:\n$url\n\nआप सभी उपकरणों "
        "पर साइन आउट हो गए हैं। पुराना पता अब काम नहीं करता।\n",
    ),
    "vi": Email(
        "Địa chỉ email của bạn đã thay đổi",
        "Xin chào $name,\n\nTừ bây giờ bạn đăng nhập bằng địa chỉ email này:\n$url\n\nBạn "
        "đã được đăng xuất trên mọi thiết bị. Địa chỉ trước đây không còn dùng được nữa.\n",
    ),
}
ERASE_ACCOUNT: Final = {
    "en": Email(
        "Do you want to erase the account?",
        "Hello,\n\nsomeone who is signed in with the account of $name at Meridian School asks "
        "to erase it, with everything that the school knows about the student. To agree, open "
        "this link within 24 hours:\n$url\n\nThis can't be undone. If you don't want it, "
        "don't open the link: the account stays as it is. If nobody of you asked for it, "
        "please tell the school.\n",
    ),
    "hi": Email(
        "क्या आप खाता मिटाना चाहते हैं?",
        "नमस्ते,\n\nMeridian School में $name के खाते में साइन इन किए किसी व्यक्ति ने खाता और "
        "विद्यार्थी के बारे में विद्यालय की सारी जानकारी मिटाने को कहा है। सहमति के लिए यह लिंक 24 घंटे के "
        "भीतर खोलें:\n$url\n\nइसे वापस नहीं किया जा सकता। यदि आप यह नहीं चाहते, तो लिंक न खोलें: "
        "खाता वैसा ही रहेगा। यदि आप में से किसी ने यह नहीं माँगा, तो कृपया विद्यालय को बताएँ।\n",
    ),
    "vi": Email(
        "Bạn có muốn xóa tài khoản không?",
        "Xin chào,\n\nMột người đang đăng nhập vào tài khoản của $name tại Meridian School "
        "yêu cầu xóa tài khoản cùng mọi thông tin mà trường có về học viên. Để đồng ý, hãy mở "
        "liên kết này trong vòng 24 giờ:\n$url\n\nViệc này không thể hoàn tác. Nếu bạn không "
        "muốn, đừng mở liên kết: tài khoản được giữ nguyên. Nếu không ai trong các bạn yêu cầu, "
        "vui lòng báo cho trường.\n",
    ),
}
ACCOUNT_ERASED: Final = {
    "en": Email(
        "The account is erased",
        "Hello,\n\nthe account of $name at Meridian School is erased: the form, the "
        "preferences, the appointments, the feedback and the visits of our pages. This is our "
        "last email; we have deleted your address, too. Backups expire within 35 days.\n",
    ),
    "hi": Email(
        "खाता मिटा दिया गया है",
        "नमस्ते,\n\nMeridian School में $name का खाता मिटा दिया गया है: फ़ॉर्म, पसंद, अपॉइंटमेंट, "
        "प्रतिक्रिया और हमारे पृष्ठों पर आने का विवरण। यह हमारा अंतिम ई-मेल है; हमने आपका पता भी मिटा दिया "
        "है। बैकअप 35 दिनों के भीतर समाप्त हो जाते हैं।\n",
    ),
    "vi": Email(
        "Tài khoản đã được xóa",
        "Xin chào,\n\nTài khoản của $name tại Meridian School đã được xóa: biểu mẫu, tùy chọn, "
        "lịch hẹn, phản hồi và các lượt truy cập trang của chúng tôi. Đây là email cuối cùng; "
        "chúng tôi cũng đã xóa địa chỉ của bạn. Bản sao lưu hết hạn trong vòng 35 ngày.\n",
    ),
}
EXPORT_READY: Final = {
    "en": Email(
        "Your data is ready",
        "Hello,\n\nthe file with everything that Meridian School knows about $name is ready. "
        "To download it, open this link within 7 days:\n$url\n\nDon't pass the link on: whoever "
        "has it can read the file. After 7 days we delete the file.\n",
    ),
    "hi": Email(
        "आपका डेटा तैयार है",
        "नमस्ते,\n\nMeridian School के पास $name के बारे में जो भी जानकारी है, उसकी फ़ाइल तैयार है। उसे "
        "डाउनलोड करने के लिए यह लिंक 7 दिनों के भीतर खोलें:\n$url\n\nलिंक किसी और को न दें: जिसके पास "
        "लिंक है, वह फ़ाइल पढ़ सकता है। 7 दिनों के बाद हम फ़ाइल मिटा देते हैं।\n",
    ),
    "vi": Email(
        "Dữ liệu của bạn đã sẵn sàng",
        "Xin chào,\n\nTệp chứa mọi thông tin mà Meridian School có về $name đã sẵn sàng. Để tải "
        "xuống, hãy mở liên kết này trong vòng 7 ngày:\n$url\n\nĐừng chuyển liên kết cho người "
        "khác: ai có liên kết đều đọc được tệp. Sau 7 ngày chúng tôi xóa tệp.\n",
    ),
}
TEMPLATES: Final = {
    "AccountCreated": ACCOUNT_CREATED,
    "ProofRequested": PROOF_REQUESTED,
    "AccountExists": ACCOUNT_EXISTS,
    "ConsentRequested": CONSENT_REQUESTED,
    "NewAddress": NEW_ADDRESS,
    "AddressTaken": ADDRESS_TAKEN,
    "OldAddress": OLD_ADDRESS,
    "AddressChanged": ADDRESS_CHANGED,
    "EraseAccount": ERASE_ACCOUNT,
    "AccountErased": ACCOUNT_ERASED,
    "ExportReady": EXPORT_READY,
}


def language(locale: str | None) -> str:
    """Return the locale's language if it has a template, otherwise English (BCP 47, 2.2.1)."""
    primary = (locale or "").partition("-")[0].lower()
    return primary if primary in ACCOUNT_CREATED else FALLBACK_LANGUAGE


def one_line(text: str) -> str:
    """Return a text without line breaks, control characters and halves of surrogate pairs.

    JSON can have such a half (RFC 8259, 8.2), which no email can: a student's own name would fail
    each delivery of the message, and hold up those behind it. U+FEFF is a byte order mark at the
    beginning of a text, which readers drop (RFC 3629, 6).
    """
    readable = "".join(
        " " if unicodedata.category(it) in {"Cc", "Cs"} else it for it in text.replace("\ufeff", "")
    )
    return " ".join(readable.split())


def render(kind: str, locale: str | None, name: str, url: str) -> Email | None:
    """Return the email for an event kind, or None if the kind has no template."""
    by_language = TEMPLATES.get(kind)
    if by_language is None:
        return None
    template = by_language[language(locale)]
    # One pass: substitute() doesn't expand a "$url" inside the name.
    text = Template(template.text).substitute(name=" ".join(name.split()), url=url)
    return Email(template.subject, text)
