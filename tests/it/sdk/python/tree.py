"""A real tree of thousands of files, up and down again: the standard library of the running interpreter.

Every byte is compared. The tree is listed flat and walked folder by folder; both must see the same names.
"""

import os
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor

from azure.storage.blob import BlobPrefix, BlobServiceClient, ContentSettings

import runner

FILES_MIN = 2000
FILES_MAX = 6000
THREADS = 8


def tree():
    """Relative names and paths of the files, at most FILES_MAX of them."""
    root = sysconfig.get_path("stdlib")
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                found.append((os.path.relpath(path, root).replace(os.sep, "/"), path))
    found.sort()
    assert len(found) >= FILES_MIN, f"only {len(found)} files under {root}"
    return found[:FILES_MAX]


def walk(container, prefix=""):
    """All blob names below a prefix, found by opening one folder after the other."""
    for item in container.walk_blobs(name_starts_with=prefix, delimiter="/"):
        if isinstance(item, BlobPrefix):
            yield from walk(container, item.name)
        else:
            yield item.name


def test_a_tree_of_thousands_of_files_comes_back_byte_for_byte():
    service = BlobServiceClient.from_connection_string(runner.connection_string())
    container = service.create_container(runner.unique("tree"))
    files = tree()

    def upload(entry):
        name, path = entry
        with open(path, "rb") as stream:
            settings = ContentSettings(content_type="application/x-tree")
            container.upload_blob(name, stream, content_settings=settings, metadata={"source": "stdlib"})

    def check(entry):
        name, path = entry
        with open(path, "rb") as stream:
            assert container.download_blob(name).readall() == stream.read(), name

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(upload, files))
        names = [name for name, _ in files]
        flat = {blob.name: blob for blob in container.list_blobs(results_per_page=700, include=["metadata"])}
        assert sorted(flat) == sorted(names), "the flat listing differs"
        assert [*flat] == sorted(names, key=lambda name: name.encode()), "a listing is ordered by name"
        for name, path in files:
            assert flat[name].size == os.path.getsize(path), name
            assert flat[name].metadata == {"source": "stdlib"}, name
            assert flat[name].content_settings.content_type == "application/x-tree", name
        assert sorted(walk(container)) == sorted(names), "the walk differs"
        list(threads.map(check, files))
    print(f"       {len(files)} files, {sum(os.path.getsize(path) for _, path in files)} bytes")
    container.delete_container()


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
