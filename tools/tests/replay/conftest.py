"""The public access log, if it is in the shared folder beside the repository."""

from pathlib import Path

import pytest

from tools.replay.log_source import PUBLIC_SHA256, SHARED, sha256


@pytest.fixture(scope="session")
def public_log() -> Path:
    if sha256(SHARED) != PUBLIC_SHA256:
        pytest.skip(
            "the public access log isn't in the shared folder beside the repository (see docs)"
        )
    return SHARED
