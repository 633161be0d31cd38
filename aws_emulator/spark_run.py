"""Run one Spark job on this machine, with the permissions of its role.

Spark has no access to S3 here. So a job runs on copies: the objects of each bucket that its
arguments name (s3://<bucket>) are copied to a folder, the names are replaced by the folder, and
what the job changed there is written back. Both use the credentials of the job's role, so its
policies decide; an object that the role may not read is left out.

    python -m aws_emulator.spark_run < run.json

The process reads a `Run` as JSON. It ends with 1 and a message on the standard error if the job
failed. MiniStack starts it for a job (ministack/patches/spark_jobs.py).
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import boto3
from botocore.exceptions import ClientError

#: The environment with PySpark and Java.
SPARK: Final = Path(__file__).resolve().parents[1] / ".venv-spark"
_BUCKET: Final = re.compile(r"s3a?://([a-z0-9.-]+)")
#: On one machine: without the web server, and with one partition for small data. The script's own
#: settings come later, so they have priority.
_LOCAL: Final = (
    *("--master", "local[2]", "--conf", "spark.ui.enabled=false"),
    *("--conf", "spark.sql.shuffle.partitions=1"),
)
#: Settings of workers: this machine is the only one.
_WORKERS: Final = re.compile(r"spark\.(?:driver|executor|dynamicAllocation)\..*")
#: Characters at the end of the job's output in an error.
_CAUSE_CHARS: Final = 2_000


class JobFailedError(Exception):
    """A job failed; the message has the end of its output."""


class SparkSubmit(NamedTuple):
    """What a job runs: a script in S3, its arguments, and the options of spark-submit."""

    script: str
    arguments: tuple[str, ...]
    options: str


@dataclass(frozen=True)
class Run:
    """A job: how it reaches AWS, its folder, and where its output goes.

    `credentials` are those of the job's role, as AssumeRole returns them. An empty `log_group`
    means that nobody keeps the output.
    """

    job: SparkSubmit
    endpoint: str
    region: str
    credentials: Mapping[str, str]
    folder: Path
    log_group: str
    log_stream: str

    def client(self, service: str) -> Any:
        """Return a client with the role's permissions."""
        return boto3.client(  # type: ignore[call-overload]  # any service, by name
            service,
            region_name=self.region,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.credentials["AccessKeyId"],
            aws_secret_access_key=self.credentials["SecretAccessKey"],
            aws_session_token=self.credentials["SessionToken"],
        )


def run(job: Run) -> None:
    """Run a job to its end.

    Raises:
        JobFailedError: Spark isn't installed, the job failed, or its role lacks a permission.
    """
    submit = SPARK / "bin" / "spark-submit"
    words = [job.job.script, *job.job.arguments, job.job.options]
    buckets = sorted({name for word in words for name in _BUCKET.findall(word)})
    s3 = job.client("s3")
    try:
        before = {name: copy_in(s3, name, job.folder / name) for name in buckets}
        if not submit.exists():
            raise JobFailedError(f"Spark isn't installed in {SPARK}.")
        code, output = _spark(job, submit)
        if job.log_group:
            _keep_output(job, output)
        if code:
            raise JobFailedError(output[-_CAUSE_CHARS:])
        for name in buckets:
            copy_out(s3, name, job.folder / name, before[name])
    except ClientError as refused:
        raise JobFailedError(str(refused)) from refused
    finally:
        shutil.rmtree(job.folder, ignore_errors=True)


def command(job: SparkSubmit, submit: Path, folder: Path) -> list[str]:
    """Return the command that runs a job on the copies of its buckets. Pure."""

    def local(word: str) -> str:
        return _BUCKET.sub(lambda match: str(folder / match[1]), word)

    options = list(_without_workers(shlex.split(job.options)))
    words = [*options, job.script, *job.arguments]
    return [str(submit), *_LOCAL, *map(local, words)]


def _without_workers(options: Sequence[str]) -> Iterator[str]:
    words = iter(options)
    for word in words:
        if word != "--conf":
            yield word
        elif not _WORKERS.fullmatch(setting := next(words, "")):
            yield from (word, setting)


def _spark(job: Run, submit: Path) -> tuple[int, str]:
    """Run spark-submit; return its exit code and its output."""
    environment = {
        "JAVA_HOME": str(SPARK / "java"),
        "HOME": str(job.folder),
        "PATH": f"{SPARK / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYSPARK_PYTHON": str(SPARK / "bin" / "python"),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(job.folder / "tmp"),
    }
    done = subprocess.run(
        command(job.job, submit, job.folder),
        cwd=job.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout


def _keep_output(job: Run, output: str) -> None:
    logs, stream = job.client("logs"), f"{job.log_stream}/SPARK_DRIVER/stdout"
    logs.create_log_stream(logGroupName=job.log_group, logStreamName=stream)
    now = int(time.time() * 1000)
    lines = [{"timestamp": now, "message": it} for it in output.splitlines() if it.strip()]
    logs.put_log_events(logGroupName=job.log_group, logStreamName=stream, logEvents=lines)


def copy_in(s3: Any, bucket: str, folder: Path) -> dict[str, tuple[int, int]]:
    """Copy the objects that the role may read to a folder; return each key's size and time in ns.

    Raises:
        ClientError: S3 refused to list the bucket.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            if (content := _read(s3, bucket, entry["Key"])) is None:
                continue
            target = folder / entry["Key"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            changed = entry["LastModified"].timestamp()
            os.utime(target, (changed, changed))
    return _listed(folder)


def copy_out(s3: Any, bucket: str, folder: Path, before: Mapping[str, tuple[int, int]]) -> None:
    """Write what has changed in a folder since `before` to its bucket.

    Raises:
        ClientError: S3 refused a call.
    """
    after = _listed(folder)
    for key, state in after.items():
        if before.get(key) != state:
            s3.put_object(Bucket=bucket, Key=key, Body=(folder / key).read_bytes())
    for key in before.keys() - after.keys():
        s3.delete_object(Bucket=bucket, Key=key)


def _read(s3: Any, bucket: str, key: str) -> bytes | None:
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        # The object was deleted after the listing, or the role may not read it.
        if error.response["Error"]["Code"] in ("AccessDenied", "NoSuchKey"):
            return None
        raise
    return content


def _listed(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size and the time in ns of each file, without Hadoop's checksums beside them."""
    states = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith(".crc"):
            status = path.stat()
            states[path.relative_to(folder).as_posix()] = (status.st_size, status.st_mtime_ns)
    return states


def main() -> int:
    """Run the job of the standard input; return 1 if it failed."""
    fields = json.load(sys.stdin)
    job = SparkSubmit(fields["script"], tuple(fields["arguments"]), fields["options"])
    names = ("endpoint", "region", "credentials", "log_group", "log_stream")
    try:
        run(Run(job=job, folder=Path(fields["folder"]), **{it: fields[it] for it in names}))
    except JobFailedError as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
