"""The modules that a handler imports."""

from pathlib import Path

import pytest

from aws_emulator.reload.module_imports import imported_files

MODULES = {
    "shop/__init__.py": "",
    "shop/orders.py": "import json\nfrom shop import prices\nfrom shop.mail.send import send\n",
    "shop/prices.py": "def late():\n    from . import taxes\n",
    "shop/taxes.py": "import shop.orders\n",
    "shop/refunds.py": "from .mail import text\n",
    "shop/mail/__init__.py": "",
    "shop/mail/send.py": "from .text import subject\n",
    "shop/mail/text.py": "",
    "shop/unused.py": "",
    "main.py": "import shop.unused\n",
    "broken.py": "def (\n",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


MAIL = ["shop/mail/__init__.py", "shop/mail/send.py", "shop/mail/text.py"]


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (
            "shop.orders.handle",
            ["shop/__init__.py", *MAIL, "shop/orders.py", "shop/prices.py", "shop/taxes.py"],
        ),
        ("shop/mail/text.handle", ["shop/__init__.py", MAIL[0], MAIL[2]]),
        ("shop.refunds.handle", ["shop/__init__.py", MAIL[0], MAIL[2], "shop/refunds.py"]),
        ("main.handle", ["main.py", "shop/__init__.py", "shop/unused.py"]),
        ("broken.handle", ["broken.py"]),
        ("absent.handle", []),
        ("", []),
    ],
)
def test_imports_are_followed_from_the_handler(
    source: Path, handler: str, expected: list[str]
) -> None:
    names = sorted(it.relative_to(source).as_posix() for it in imported_files(source, handler))
    assert names == expected


def test_changed_module_is_read_again(source: Path) -> None:
    assert len(imported_files(source, "main.handle")) == 3
    (source / "main.py").write_text("import shop.taxes  # and no other module\n")
    assert source / "shop/taxes.py" in imported_files(source, "main.handle")
