"""The public log, where it lies beside the repository."""

from pathlib import Path

import pytest

from tools.replay.source import PUBLIC_SHA256, SHARED, sha256


@pytest.fixture(scope="session")
def public_log() -> Path:
    if sha256(SHARED) != PUBLIC_SHA256:
        pytest.skip("the public access log does not lie beside the repository (see docs)")
    return SHARED
