"""What an account does by itself, seen through the official Python client.

`behaviour.py before` runs when the command line has turned versioning and last access tracking on, and leaves blobs behind.
`behaviour.py after` runs when it has then set rules: blobs under `rules/expired/` are deleted, those under `rules/cooling/`
go to the cool tier, both after zero days."""

import sys
import time

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

import runner
from runner import raises, unique

CONNECTION = runner.connection_string()
BLOBS = BlobServiceClient.from_connection_string(CONNECTION)


def eventually(what, probe):
    """What `probe` gives, once it gives something. The background takes its time, which is not judged."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"in vain: {what}")


def test_before_rules_writes_keep_what_was_there_as_versions():
    container = BLOBS.create_container(unique("versions"))
    blob = container.get_blob_client("blob")
    first = blob.upload_blob(b"first")["version_id"]
    second = blob.upload_blob(b"second", overwrite=True)["version_id"]
    assert first < second
    assert blob.download_blob(version_id=first).readall() == b"first"
    assert blob.download_blob(version_id=second).readall() == b"second"
    blob.delete_blob()
    assert raises(ResourceNotFoundError, blob.download_blob).error_code == "BlobNotFound"
    assert blob.download_blob(version_id=second).readall() == b"second"


def test_before_rules_the_last_access_is_shown_once_there_was_one():
    container = BLOBS.create_container(unique("accessed"))
    blob = container.get_blob_client("blob")
    uploaded = blob.upload_blob(b"x")
    accessed = eventually("a last access time", lambda: blob.get_blob_properties().last_accessed_on)
    assert accessed >= uploaded["last_modified"]
    assert blob.download_blob().readall() == b"x"
    properties = blob.get_blob_properties()
    assert (properties.last_accessed_on, properties.etag) == (accessed, uploaded["etag"])


def test_before_rules_there_is_everything():
    container = BLOBS.create_container("rules")
    for name in ("expired/a", "expired/b", "cooling/a", "other"):
        container.upload_blob(name, name.encode())
    assert container.get_blob_client("other").download_blob().readall() == b"other"


def read(container, name):
    try:
        return container.download_blob(name).readall()
    except ResourceNotFoundError:
        return None


def test_after_rules_were_set_they_are_applied():
    container = BLOBS.get_container_client("rules")
    cooling = container.get_blob_client("cooling/a")
    eventually("the cool tier", lambda: cooling.get_blob_properties().blob_tier == "Cool")
    wanted = {"expired/a": None, "expired/b": None, "cooling/a": b"cooling/a", "other": b"other"}
    eventually("deletion", lambda: {name: read(container, name) for name in wanted} == wanted)
    assert container.get_blob_client("other").get_blob_properties().blob_tier == "Hot"


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
