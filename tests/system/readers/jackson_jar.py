"""The jars of Iceberg for Spark, with the JSON library that the package on PyPI lacks.

Iceberg's runtime jar has Jackson under `org/apache/iceberg/shaded`. The package leaves it out, so
this module makes such a jar from Spark's Jackson: it renames the packages in their constants.
"""

import importlib
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NAME: Final = "com/fasterxml/jackson"
_SHADED: Final = f"org/apache/iceberg/shaded/{_NAME}"
_RUNTIME: Final = "iceberg-spark-runtime-3.5_2.12-*.jar"
_LIBRARIES: Final = ("core", "databind", "annotations")
#: Bytes of a constant after its tag (Java Virtual Machine Specification, 4.4).
_SIZES: Final = {
    **dict.fromkeys((7, 8, 16, 19, 20), 2),
    15: 3,
    **dict.fromkeys((3, 4, 9, 10, 11, 12, 17, 18), 4),
    **dict.fromkeys((5, 6), 8),
}
_UTF8: Final = 1
_FIRST_CONSTANT: Final = 10


def jars() -> list[Path]:
    """Return the runtime jar and the jar of Jackson; make the second one if there is none."""
    spark = Path(importlib.import_module("pyspark").__path__[0]) / "jars"
    package = Path(importlib.import_module("snowpark_connect_deps_iceberg").__path__[0])
    (runtime,) = package.glob(f"jars/{_RUNTIME}")
    target = package / "jackson.jar"
    if not target.exists():
        new = target.with_suffix(".new")
        with zipfile.ZipFile(new, "w") as jar:
            for library in _LIBRARIES:
                (source,) = spark.glob(f"jackson-{library}-2*.jar")
                for name, body in _classes(source):
                    jar.writestr(name, body)
        new.rename(target)
    return [runtime, target]


def _classes(source: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(source) as jar:
        for name in jar.namelist():
            if name.startswith(_NAME) and name.endswith(".class"):
                yield name.replace(_NAME, _SHADED), renamed(jar.read(name))


def renamed(body: bytes) -> bytes:
    """Return a class with the packages' new names in its constants."""
    count = int.from_bytes(body[8:10])
    parts = [body[:_FIRST_CONSTANT]]
    at, number = _FIRST_CONSTANT, 1
    while number < count:
        tag = body[at]
        if tag == _UTF8:
            length = int.from_bytes(body[at + 1 : at + 3])
            text = body[at + 3 : at + 3 + length]
            for old, new in ((_NAME, _SHADED), (_dotted(_NAME), _dotted(_SHADED))):
                text = text.replace(old.encode(), new.encode())
            parts.append(struct.pack(">BH", tag, len(text)) + text)
            at += 3 + length
        else:
            parts.append(body[at : at + 1 + _SIZES[tag]])
            at += 1 + _SIZES[tag]
        # Eight bytes take two numbers.
        number += 2 if tag in {5, 6} else 1
    return b"".join([*parts, body[at:]])


def _dotted(name: str) -> str:
    return name.replace("/", ".")
