"""pyiceberg's access to the table's metadata in the lake's bucket.

Every file of the metadata has a unique name, is written once and never changed.
"""

import io
from types import TracebackType
from typing import Final, Self

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream

from stream_processor.errors import MissingObjectError, StorageError
from stream_processor.storage import object_writer
from stream_processor.storage.s3 import Bucket

_SCHEME: Final = "s3://"


def location_of(bucket: Bucket, key: str) -> str:
    """Return the location of an object, as the table names it."""
    return f"{_SCHEME}{bucket.name}/{key}"


def key_of(bucket: Bucket, location: str) -> str:
    """Return the key of a location in the bucket.

    Raises:
        StorageError: The location is in another bucket.
    """
    head = location_of(bucket, "")
    if not location.startswith(head):
        raise StorageError(
            f"The table names {location}, which isn't in {head}. Another program changed the table."
        )
    return location.removeprefix(head)


class _Input(InputFile):
    def __init__(self, bucket: Bucket, location: str) -> None:
        super().__init__(location)
        self._bucket = bucket
        self._body: bytes | None = None

    def _read(self) -> bytes:
        if self._body is None:
            self._body = self._bucket.read(key_of(self._bucket, self.location))
        return self._body

    def __len__(self) -> int:
        return len(self._read())

    def exists(self) -> bool:
        try:
            self._read()
        except MissingObjectError:
            return False
        return True

    def open(self, seekable: bool = True) -> InputStream:  # noqa: ARG002 - of the base class
        return io.BytesIO(self._read())


class _Stream(io.BytesIO):
    """Write the object when it is closed without an error."""

    def __init__(self, output: "_Output") -> None:
        super().__init__()
        self._output = output

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            super().close()

    def close(self) -> None:
        body = None if self.closed else self.getvalue()
        super().close()
        if body is not None:
            self._output.finish(body)


class _Output(OutputFile):
    def __init__(self, bucket: Bucket, location: str) -> None:
        super().__init__(location)
        self._bucket = bucket
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def exists(self) -> bool:
        return False

    def to_input_file(self) -> InputFile:
        return _Input(self._bucket, self.location)

    def create(self, overwrite: bool = False) -> OutputStream:  # noqa: ARG002 - of the base class
        return _Stream(self)

    def finish(self, body: bytes) -> None:
        """Write the object.

        Raises:
            StorageError: S3 failed.
        """
        object_writer.create_metadata(self._bucket, key_of(self._bucket, self.location), body)
        self._size = len(body)


class LakeFileIO(FileIO):
    """Read and write metadata by the lake's bucket, and delete nothing.

    pyiceberg deletes the files of a commit that the catalog refused. But the SDK can repeat a
    request whose answer was lost, and the catalog then refuses the repetition of a commit that it
    has made. `publish.EventsTable.expire` deletes the files that no snapshot has.
    """

    def __init__(self, bucket: Bucket) -> None:
        super().__init__()
        self._bucket = bucket

    def new_input(self, location: str) -> InputFile:
        """Return a file to read."""
        return _Input(self._bucket, location)

    def new_output(self, location: str) -> OutputFile:
        """Return a file to write."""
        return _Output(self._bucket, location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Do nothing: see the class."""
