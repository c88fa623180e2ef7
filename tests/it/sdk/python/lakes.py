"""What data tools go through to a container: as a file system (adlfs under fsspec) and as a table (Delta Lake).

pandas and Dask use the first; Polars uses the crate that the second stands on. Delta Lake rests on one promise of the
service: of all who create a blob, one succeeds.
"""

import sys
import threading

import fsspec
import pyarrow
from azure.storage.blob import BlobServiceClient
from deltalake import DeltaTable, write_deltalake
from pyarrow import parquet

import runner

CONNECTION_STRING = runner.connection_string()
MEBIBYTE = 1 << 20


def fields():
    """The parts of the connection string."""
    return dict(part.split("=", 1) for part in CONNECTION_STRING.split(";") if part)


def container(prefix):
    """The name of a new container."""
    name = runner.unique(prefix)
    BlobServiceClient.from_connection_string(CONNECTION_STRING).create_container(name)
    return name


def file_system():
    return fsspec.filesystem("abfs", connection_string=CONNECTION_STRING, use_listings_cache=False)


def test_a_file_system_has_folders_that_are_only_names():
    files, root = file_system(), container("abfs")
    names = [f"{root}/d{n % 3}/e{n % 2}/ü {n}.txt" for n in range(30)]
    for name in names:
        files.pipe_file(name, name.encode())
    assert files.find(root) == sorted(names)
    assert sorted(files.ls(root, detail=False)) == [f"{root}/d{n}" for n in range(3)]
    assert files.isdir(f"{root}/d1/e0") and not files.exists(f"{root}/d9")
    assert files.glob(f"{root}/d1/**/ü 1?.txt") == sorted(f"{root}/d1/e{n % 2}/ü {n}.txt" for n in (10, 13, 16, 19))
    assert files.cat_ranges([names[7]], [1], [5]) == [names[7].encode()[1:5]]
    files.cp_file(names[0], f"{root}/copy")
    files.mv(f"{root}/copy", f"{root}/moved")
    assert files.cat_file(f"{root}/moved") == names[0].encode() and not files.exists(f"{root}/copy")
    files.rm(f"{root}/d1", recursive=True)
    assert not files.exists(f"{root}/d1") and len(files.find(root)) == 21


def test_a_file_is_written_in_blocks_read_from_the_middle_and_appended_to():
    files, root = file_system(), container("abfs")
    with files.open(f"{root}/large", "wb", block_size=4 * MEBIBYTE) as file:
        for part in range(11):
            file.write(bytes([part]) * MEBIBYTE)
    with files.open(f"{root}/large", "rb") as file:
        file.seek(7 * MEBIBYTE - 1)
        assert file.read(2) == b"\6\7" and file.size == 11 * MEBIBYTE
    for text in (b"one ", b"two"):
        with files.open(f"{root}/log", "ab") as file:
            file.write(text)
    assert files.cat_file(f"{root}/log") == b"one two"


def test_parquet_is_read_column_by_column():
    files, root = file_system(), container("abfs")
    written = pyarrow.table({"a": range(100_000), "b": ["x"] * 100_000})
    with files.open(f"{root}/t.parquet", "wb") as file:
        parquet.write_table(written, file)
    with files.open(f"{root}/t.parquet", "rb") as file:
        assert parquet.read_table(file, columns=["a"]).equals(written.select(["a"]))


def delta_options():
    parts = fields()
    return {
        "account_name": parts["AccountName"],
        "account_key": parts["AccountKey"],
        "azure_storage_endpoint": parts["BlobEndpoint"],
        "allow_http": "true",
    }


def delta_table(uri):
    return DeltaTable(uri, storage_options=delta_options())


def numbers(uri):
    return sorted(delta_table(uri).to_pyarrow_table().column("a").to_pylist())


def test_a_delta_table_keeps_its_versions_and_is_tidied():
    uri = f"az://{container('delta')}/t"
    for n in range(5):
        table = pyarrow.table({"a": [n, n + 10], "p": ["x", "y"]})
        write_deltalake(uri, table, mode="append", partition_by=["p"], storage_options=delta_options())
    table = delta_table(uri)
    table.optimize.compact()
    table.delete("a = 0")
    table.create_checkpoint()
    assert table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert numbers(uri) == [1, 2, 3, 4, 10, 11, 12, 13, 14]
    done = [commit["operation"] for commit in delta_table(uri).history()]
    assert done.count("WRITE") == 5 and {"OPTIMIZE", "DELETE"} < set(done), done


def test_of_writers_side_by_side_none_is_lost():
    uri = f"az://{container('delta')}/t"
    write_deltalake(uri, pyarrow.table({"a": [0]}), storage_options=delta_options())
    writers, commits, failures = 4, 5, []

    def write(first):
        try:
            for n in range(commits):
                table = pyarrow.table({"a": [first + n]})
                write_deltalake(uri, table, mode="append", storage_options=delta_options())
        except Exception as error:  # told below, by the thread that asserts
            failures.append(error)

    threads = [threading.Thread(target=write, args=(1 + commits * n,)) for n in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert numbers(uri) == list(range(1 + writers * commits))


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
