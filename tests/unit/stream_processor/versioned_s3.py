"""A fake of S3 that keeps every version of every object, as a bucket with versioning does."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.unit.stream_processor.fakes import FakeS3, client_error


@dataclass(slots=True)
class StoredVersion:
    """One version; `body` is None for a delete marker."""

    number: str
    body: bytes | None
    metadata: dict[str, str] = field(default_factory=dict)


def etag_of(body: bytes) -> str:
    """Return the ETag that the fake gives a body."""
    return hashlib.sha256(body).hexdigest()


@dataclass
class VersionedS3(FakeS3):
    """FakeS3 with versions. `history` has those of each key, newest first."""

    history: dict[tuple[str, str], list[StoredVersion]] = field(default_factory=dict)
    _numbers: int = 0

    def bodies(self) -> Iterator[tuple[str, bytes]]:
        """Yield the key and the body of each version."""
        for (_, key), versions in self.history.items():
            yield from ((key, it.body) for it in versions if it.body is not None)

    def put_object(self, **query: Any) -> dict[str, Any]:
        location = (query["Bucket"], query["Key"])
        expected = query.get("IfMatch")
        if expected is not None:
            if location not in self.objects:
                raise client_error(404, "NoSuchKey")
            if etag_of(self.objects[location][0]) != expected:
                raise client_error(412, "PreconditionFailed")
        response = super().put_object(**query)
        self._add(location, *self.objects[location])
        return response

    def delete_object(self, **query: Any) -> dict[str, Any]:
        location = (query["Bucket"], query["Key"])
        versions = self.history.setdefault(location, [])
        if "VersionId" not in query:
            self._add(location, None, {})
        else:
            versions[:] = [it for it in versions if it.number != query["VersionId"]]
        self.objects.pop(location, None)
        newest = versions[0] if versions else None
        if newest is not None and newest.body is not None:
            self.objects[location] = (newest.body, newest.metadata)
        return {}

    def get_object(self, **query: Any) -> dict[str, Any]:
        if "VersionId" not in query:
            return super().get_object(**query)
        return {"Body": io.BytesIO(self._version(query).body or b"")}

    def head_object(self, **query: Any) -> dict[str, Any]:
        if "VersionId" not in query:
            return super().head_object(**query)
        return {"Metadata": dict(self._version(query).metadata)}

    def list_object_versions(self, **query: Any) -> dict[str, Any]:
        """List three entries a page, so that pages divide the versions of a key."""
        after = (query.get("KeyMarker", ""), -int(query.get("VersionIdMarker", "v0")[1:]))
        entries = sorted(
            (key, -int(it.number[1:]), it, number == 0)
            for (bucket, key), versions in self.history.items()
            if bucket == query["Bucket"] and key.startswith(query["Prefix"])
            for number, it in enumerate(versions)
            if "KeyMarker" not in query or (key, -int(it.number[1:])) > after
        )
        page: dict[str, Any] = {"Versions": [], "DeleteMarkers": []}
        for key, _, version, is_latest in entries[:3]:
            entry = {"Key": key, "VersionId": version.number, "IsLatest": is_latest}
            if version.body is None:
                page["DeleteMarkers"].append(entry)
            else:
                page["Versions"].append(entry | {"ETag": etag_of(version.body)})
        if entries[3:]:
            key, _, version, _ = entries[2]
            more = {"NextKeyMarker": key, "NextVersionIdMarker": version.number}
            page |= {"IsTruncated": True, **more}
        return page

    def _add(self, location: tuple[str, str], body: bytes | None, metadata: dict[str, str]) -> None:
        self._numbers += 1
        version = StoredVersion(f"v{self._numbers}", body, dict(metadata))
        self.history.setdefault(location, []).insert(0, version)

    def _version(self, query: dict[str, Any]) -> StoredVersion:
        for version in self.history.get((query["Bucket"], query["Key"]), []):
            if version.number == query["VersionId"] and version.body is not None:
                return version
        raise client_error(404, "NoSuchVersion")
