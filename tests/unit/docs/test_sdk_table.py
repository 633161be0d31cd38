"""The compatibility table in docs/sdks.md is the one that the system tests run."""

from tests.system.sdks import variants


def test_compatibility_table_is_current() -> None:
    """`python -m tests.system.sdks.variants` writes it."""
    text = variants.DOCUMENT.read_text()
    assert variants.START in text
    assert text == variants.rewritten(text)
    assert "@segment/analytics-next" in variants.table()


def test_each_sdk_with_injected_faults_is_in_the_table() -> None:
    listed = {variant.sdk for variant in variants.VARIANTS}
    assert listed >= variants.WITH_FAULTS
    assert len({variant.name for variant in variants.VARIANTS}) == len(variants.VARIANTS)
