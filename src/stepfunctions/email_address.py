"""Email addresses: validation, normalization for comparison, and the key that identifies one.

Normalization keeps dots and plus signs, because only the mail host may interpret the local part
(RFC 5321, 2.3.11).
"""

import hashlib
import hmac
import re
import unicodedata
from typing import Final

#: RFC 5321, 4.5.3.1: octets of the local part, of the domain, and of the whole path.
MAX_LOCAL_OCTETS: Final = 64
MAX_DOMAIN_OCTETS: Final = 255
MAX_PATH_OCTETS: Final = 254

#: RFC 5322, 3.2.3 "dot-atom", ASCII: "Amazon SES does not support the SMTPUTF8 extension, which
#: enables support for Unicode characters in the local part" (SES API, "SendEmail").
_LOCAL: Final = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
#: RFC 1034, 3.5 with RFC 1123, 2.1.
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: RFC 5890, 2.3.2.5: the start of a label that encodes other characters.
_ACE_PREFIX: Final = "xn--"


def _ascii_domain(text: str) -> str | None:
    """Return the lower-case domain in ASCII, or None if it is invalid.

    Maps it by UTS 46 (nontransitional processing) and encodes its labels by IDNA 2008 (RFC 5891).
    """
    labels = text.split(".")
    if not text.isascii() or any(label.startswith(_ACE_PREFIX) for label in labels):
        # Its tables take 20 ms to import, and most domains are ASCII.
        import idna

        try:
            mapped = idna.uts46_remap(text, std3_rules=True, transitional=False)
            # Hyphens at the third and fourth place are valid in other ASCII labels: UTS 46, 4.1.
            labels = [
                label
                if label.isascii() and not label.startswith(_ACE_PREFIX)
                else idna.alabel(label).decode()
                for label in mapped.split(".")
            ]
        except idna.IDNAError:
            return None
    ascii_form = ".".join(labels)
    if len(labels) < 2 or len(ascii_form) > MAX_DOMAIN_OCTETS or labels[-1].isdigit():
        return None
    return ascii_form if all(_LABEL.fullmatch(label) for label in labels) else None


def normalize(address: str) -> str | None:
    """Return the ASCII form that equal addresses share, or None if `address` is invalid.

    Applies NFKC and lower case to the whole address, and UTS 46 and IDNA 2008 to the domain. The
    function is idempotent. A local part with characters that are not ASCII after NFKC is invalid:
    folding "ß" to "ss" could send one person's email to another.
    """
    # Longer than the least compact form of a valid address: skip the cost of normalization.
    if len(address) > 4 * MAX_PATH_OCTETS:
        return None
    folded = unicodedata.normalize("NFKC", address.strip(" ")).lower()
    local, at, domain = folded.rpartition("@")
    if not at or len(local) > MAX_LOCAL_OCTETS or not _LOCAL.fullmatch(local):
        return None
    ascii_domain = _ascii_domain(domain)
    if ascii_domain is None:
        return None
    whole = f"{local}@{ascii_domain}"
    return whole if len(whole) <= MAX_PATH_OCTETS else None


def email_key(normalized: str, secret: bytes) -> str:
    """Return the HMAC-SHA256 of a normalized address as 64 hex digits.

    Table keys and execution histories contain this key instead of the address. A plain digest
    would let a reader confirm a guessed address.
    """
    return hmac.new(secret, normalized.encode(), hashlib.sha256).hexdigest()
