"""A stub for the benchmarks: PutRecords of Kinesis over TLS, and the snapshot of the sources.

It acknowledges every record, and serves DIRECTORY/sources.jws.

`python ingest_stub.py DIRECTORY` prints the port and serves until the process is killed.
"""

import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent


class Stub:
    """The stub in a separate process. `DIRECTORY` contains its certificate."""

    def __init__(self, directory: Path) -> None:
        certificate(directory)
        program = [sys.executable, __file__, str(directory)]
        self._process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def serve(directory: Path) -> None:
    """Serve until killed; print the port."""
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem", directory / "server.key")
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=_serve_one, args=(context, raw, directory), daemon=True).start()


def _serve_one(context: ssl.SSLContext, raw: Any, directory: Path) -> None:
    try:
        with context.wrap_socket(raw, server_side=True) as connection:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    if not (more := connection.recv(1 << 16)):
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                if head.startswith(b"GET "):
                    snapshot = (directory / "sources.jws").read_bytes()
                    start = f"HTTP/1.1 200 OK\r\ncontent-length: {len(snapshot)}\r\n\r\n"
                    connection.sendall(start.encode() + snapshot)
                    continue
                fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
                parts, length = [data], int(fields[b"content-length"]) - len(data)
                while length > 0:
                    parts.append(connection.recv(1 << 20))
                    length -= len(parts[-1])
                count = b"".join(parts).count(b'"PartitionKey"')
                data = b""
                record = '{"SequenceNumber":"49","ShardId":"shardId-000000000000"}'
                body = f'{{"FailedRecordCount":0,"Records":[{",".join([record] * count)}]}}'
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\n"
                    + f"content-length: {len(body)}\r\n\r\n{body}".encode()
                )
    except OSError:
        return


def certificate(directory: Path) -> None:
    """Write the stub's certificate, and root files for both candidates that contain it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    paths = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = paths.public_bytes(serialization.Encoding.PEM)
    (directory / "server.pem").write_bytes(pem)
    (directory / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    import botocore

    roots = Path(botocore.__file__).with_name("cacert.pem").read_bytes()
    # Each candidate loads as many roots as in production, plus the stub's certificate.
    (directory / "peer.pem").write_bytes(roots + pem)
    amazon_roots = (ROOT / "src" / "edge_ingest" / "amazon_roots.pem").read_bytes()
    (directory / "collector.pem").write_bytes(amazon_roots + pem)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
