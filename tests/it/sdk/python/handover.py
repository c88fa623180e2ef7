"""What one client writes another reads: the Python side.

`write CONTAINER` stores a few blobs whose content follows from their names, `check CONTAINER WRITER` reads those of
another client. Names are `<writer>/<size>/<number>`; the content is the SHA-256 of the name in hexadecimal, repeated
and cut to the size. The JavaScript and Rust programs know the same rule.
"""

import hashlib
import sys

from azure.storage.blob import BlobServiceClient

import runner

SIZES = [0, 1, 63, 64, 65, 4096, 100_000, 5_000_000]


def content(name, size):
    pattern = hashlib.sha256(name.encode()).hexdigest().encode()
    return (pattern * (size // len(pattern) + 1))[:size]


def write(container):
    for number, size in enumerate(SIZES):
        name = f"python/{size}/{number}"
        container.upload_blob(name, content(name, size), overwrite=True, metadata={"writer": "python"})


def check(container, writer):
    found = list(container.list_blobs(f"{writer}/", include=["metadata"]))
    assert len(found) == len(SIZES), [blob.name for blob in found]
    for blob in found:
        size = int(blob.name.split("/")[1])
        assert blob.size == size, blob.name
        assert blob.metadata == {"writer": writer}, (blob.name, blob.metadata)
        assert container.download_blob(blob.name).readall() == content(blob.name, size), blob.name


if __name__ == "__main__":
    client = BlobServiceClient.from_connection_string(
        runner.connection_string(), max_single_put_size=1 << 20, max_block_size=1 << 20
    ).get_container_client(sys.argv[2])
    if sys.argv[1] == "write":
        if not client.exists():
            client.create_container()
        write(client)
    else:
        check(client, sys.argv[3])
    print("1 passed, 0 failed")
