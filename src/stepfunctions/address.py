"""An e-mail address: is it one that mail can be sent to, and when are two of them the same?

Dots and plus signs are left alone: what they mean is the mail host's own affair (RFC 5321, 2.3.11).
"""

import hashlib
import hmac
import re
import unicodedata

#: RFC 5321, 4.5.3.1: octets of the part before the @, of the domain, and of both.
LOCAL_OCTETS = 64
DOMAIN_OCTETS = 255
PATH_OCTETS = 254

#: RFC 5322, 3.2.3 "dot-atom", ASCII: "Amazon SES does not support the SMTPUTF8 extension, which
#: enables support for Unicode characters in the local part" (SES API, "SendEmail").
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
#: RFC 1034, 3.5 with RFC 1123, 2.1.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: RFC 5892: valid in IDNA 2008, mapped away by IDNA 2003 to the name of somebody else's domain.
_DEVIATIONS = frozenset("\u00df\u03c2\u200c\u200d")


def _ascii_domain(text: str) -> str | None:
    """Return the domain in ASCII (RFC 3490, ToASCII), or None where it has none."""
    if _DEVIATIONS & set(text):
        return None
    try:
        # A trailing dot or an empty label is refused by the codec, a label of 64 octets as well.
        ascii_form = text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    labels = ascii_form.split(".")
    if len(labels) < 2 or len(ascii_form) > DOMAIN_OCTETS or labels[-1].isdigit():
        return None
    return ascii_form if all(_LABEL.fullmatch(label) for label in labels) else None


def canonical(address: str) -> str | None:
    """Return the form in which equal addresses are equal, or None where this is no address.

    NFKC and small letters for all of it, IDNA for the domain: ASCII, and canonical(canonical(x)) is
    canonical(x). What is not ASCII after NFKC is not folded further: sz is not ss, and mail to the
    one must not go to the other.
    """
    # Longer than any address can be, even in the most wasteful form: not worth normalising.
    if len(address) > 4 * PATH_OCTETS:
        return None
    folded = unicodedata.normalize("NFKC", address.strip(" ")).lower()
    local, at, domain = folded.rpartition("@")
    ascii_domain = _ascii_domain(domain)
    if not at or ascii_domain is None:
        return None
    if len(local) > LOCAL_OCTETS or not _LOCAL.fullmatch(local):
        return None
    whole = f"{local}@{ascii_domain}"
    return whole if len(whole) <= PATH_OCTETS else None


def key(canonical_address: str, secret: bytes) -> str:
    """Return the address's name in keys and histories: 64 hex digits that nobody can guess back.

    A plain digest of an address is the address to whoever can guess it; this one needs the secret.
    """
    return hmac.new(secret, canonical_address.encode(), hashlib.sha256).hexdigest()
