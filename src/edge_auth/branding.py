"""How the pages of edge_auth name the site, and what they load from it."""

from typing import Final


class Site:
    """A site's name, the path of its logo and that of a script. Empty paths load nothing."""

    __slots__ = ("logo", "name", "script")

    def __init__(self, name: str, logo: str = "", script: str = "") -> None:
        """`script` is a module, such as one that translates the page."""
        self.name = name
        self.logo = logo
        self.script = script


#: While the settings can't be read.
UNNAMED: Final = Site("")
