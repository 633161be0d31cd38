"""Texts of emails about appointments: to students in three languages, to advisors in English."""

from datetime import datetime, timedelta
from string import Template
from typing import Final
from zoneinfo import ZoneInfo

from stepfunctions.appointment_notice import Notice
from stepfunctions.email_templates import FALLBACK_LANGUAGE, Email, one_line

#: Monday first.
WEEKDAYS: Final = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "hi": ("सोमवार", "मंगलवार", "बुधवार", "गुरुवार", "शुक्रवार", "शनिवार", "रविवार"),
    "vi": ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật"),
}
#: The title of the calendar's entry; $other is the advisor or the student.
SUMMARIES: Final = {
    "en": "Appointment with $other",
    "hi": "$other के साथ मुलाक़ात",
    "vi": "Cuộc hẹn với $other",
}
_REASONS: Final = {"en": "Reason: ${reason}", "hi": "कारण: $reason", "vi": "Lý do: $reason"}
_SIGN_IN: Final = {
    "en": "To move or cancel appointments, sign in:\n$url\n",
    "hi": "मुलाक़ात बदलने या रद्द करने के लिए साइन इन करें:\n$url\n",
    "vi": "Để đổi giờ hoặc hủy cuộc hẹn, hãy đăng nhập:\n$url\n",
}
#: Kind → language → subject and text. $name begins with a space or is empty, $reason ends with an
#: empty line or is empty.
STUDENT: Final = {
    "AppointmentBooked": {
        "en": Email(
            "Your appointment is booked",
            "Hello$name,\n\nYour appointment with $other is booked:\n$when\n\n",
        ),
        "hi": Email(
            "आपकी मुलाक़ात तय हो गई है",
            "नमस्ते$name,\n\n$other के साथ आपकी मुलाक़ात तय हो गई है:\n$when\n\n",
        ),
        "vi": Email(
            "Cuộc hẹn của bạn đã được đặt",
            "Xin chào$name,\n\nCuộc hẹn của bạn với $other đã được đặt:\n$when\n\n",
        ),
    },
    "AppointmentMoved": {
        "en": Email(
            "Your appointment has a new time",
            "Hello$name,\n\nYour appointment with $other has a new time:\n$when\n\nIt was before:\n"
            "$before\n\n${reason}",
        ),
        "hi": Email(
            "आपकी मुलाक़ात का समय बदल गया है",
            "नमस्ते$name,\n\n$other के साथ आपकी मुलाक़ात का नया समय:\n$when\n\nपहले का समय:\n"
            "$before\n\n${reason}",
        ),
        "vi": Email(
            "Cuộc hẹn của bạn có giờ mới",
            "Xin chào$name,\n\nCuộc hẹn của bạn với $other có giờ mới:\n$when\n\nGiờ trước đây:\n"
            "$before\n\n${reason}",
        ),
    },
    "AppointmentCancelled": {
        "en": Email(
            "Your appointment is cancelled",
            "Hello$name,\n\nYour appointment with $other is cancelled:\n$when\n\n${reason}",
        ),
        "hi": Email(
            "आपकी मुलाक़ात रद्द हो गई है",
            "नमस्ते$name,\n\n$other के साथ आपकी मुलाक़ात रद्द हो गई है:\n$when\n\n${reason}",
        ),
        "vi": Email(
            "Cuộc hẹn của bạn đã bị hủy",
            "Xin chào$name,\n\nCuộc hẹn của bạn với $other đã bị hủy:\n$when\n\n${reason}",
        ),
    },
    "AppointmentKept": {
        "en": Email(
            "Your appointment stands",
            "Hello$name,\n\nWhile one of our data centers failed, another student was promised "
            "the same time. Your appointment with $other stands:\n$when\n\n",
        ),
        "hi": Email(
            "आपकी मुलाक़ात बनी हुई है",
            "नमस्ते$name,\n\nहमारे एक डेटा केंद्र की ख़राबी के दौरान यही समय एक और विद्यार्थी को भी दिया गया "
            "था। $other के साथ आपकी मुलाक़ात बनी हुई है:\n$when\n\n",
        ),
        "vi": Email(
            "Cuộc hẹn của bạn vẫn được giữ",
            "Xin chào$name,\n\nKhi một trung tâm dữ liệu của chúng tôi gặp sự cố, một học viên "
            "khác cũng được hứa cùng giờ đó. Cuộc hẹn của bạn với $other vẫn được giữ:\n$when\n\n",
        ),
    },
    "AppointmentReminder": {
        "en": Email(
            "Reminder of your appointment",
            "Hello$name,\n\nYou have an appointment with $other:\n$when\n\nYou get reminders "
            "because you chose them in your preferences, where you can stop them.\n\n",
        ),
        "hi": Email(
            "आपकी मुलाक़ात की याद",
            "नमस्ते$name,\n\n$other के साथ आपकी मुलाक़ात है:\n$when\n\nयह याद इसलिए भेजी गई है क्योंकि आपने "
            "इसे अपनी पसंद में चुना है। वहीं आप इसे बंद कर सकते हैं।\n\n",
        ),
        "vi": Email(
            "Nhắc nhở về cuộc hẹn của bạn",
            "Xin chào$name,\n\nBạn có cuộc hẹn với $other:\n$when\n\nBạn nhận được lời nhắc vì "
            "đã chọn trong phần tùy chọn, nơi bạn có thể tắt lời nhắc.\n\n",
        ),
    },
}
ADVISOR: Final = {
    "AppointmentBooked": Email(
        "An appointment is booked", "Hello$name,\n\n$other has an appointment with you:\n$when\n"
    ),
    "AppointmentMoved": Email(
        "An appointment has a new time",
        "Hello$name,\n\nThe appointment of $other with you has a new time:\n$when\n\n"
        "It was before:\n$before\n\n${reason}",
    ),
    "AppointmentCancelled": Email(
        "An appointment is cancelled",
        "Hello$name,\n\nThe appointment of $other with you is cancelled:\n$when\n\n${reason}",
    ),
}


def when(start: str, minutes: int, zone: ZoneInfo, language: str) -> str:
    """Return the time of an appointment by the clock of a time zone, with its offset from UTC."""
    begin = datetime.fromisoformat(start).astimezone(zone)
    # In UTC, because a sum of local times ignores a change of the clock.
    end = (datetime.fromisoformat(start) + timedelta(minutes=minutes)).astimezone(zone)
    offset = f"UTC{begin:%:z}"
    day = WEEKDAYS[language][begin.weekday()]
    return f"{day} {begin:%Y-%m-%d}, {begin:%H:%M}-{end:%H:%M} ({zone.key}, {offset})"


def render(
    notice: Notice,
    *,
    to_student: bool,
    language: str,
    name: str,
    other: str,
    zone: ZoneInfo,
    reason: str,
    url: str,
) -> Email | None:
    """Return the email of a notice, or None if the recipient gets none of this kind.

    Args:
        notice: The change.
        to_student: Whether the recipient is the student.
        language: A key of `WEEKDAYS`; advisors get English.
        name: The recipient's name, or "".
        other: The name of the advisor or the student.
        zone: The recipient's time zone.
        reason: What the office wrote, or "".
        url: The portal's page of appointments.
    """
    language = language if to_student else FALLBACK_LANGUAGE
    template = STUDENT[notice.kind][language] if to_student else ADVISOR.get(notice.kind)
    if template is None:
        return None
    text = template.text + (_SIGN_IN[language] if to_student else "")
    why = Template(_REASONS[language]).substitute(reason=one_line(reason))
    values = {
        "name": f" {one_line(name)}" if one_line(name) else "",
        "other": one_line(other),
        "when": when(notice.start, notice.minutes, zone, language),
        "before": "",
        "reason": f"{why}\n\n" if reason else "",
        "url": url,
    }
    if notice.moved_from:
        values["before"] = when(notice.moved_from, notice.minutes, zone, language)
    # One pass: substitute() doesn't expand a "$url" inside a name.
    return Email(template.subject, Template(text).substitute(values))


def summary(language: str, other: str) -> str:
    """Return the title of the calendar's entry."""
    return Template(SUMMARIES[language]).substitute(other=other)
