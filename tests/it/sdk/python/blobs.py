"""Every container and blob operation of the first services, through the official Python client."""

import base64
import hashlib
import os
import sys
from datetime import datetime, timedelta, timezone

from azure.core import MatchConditions
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobBlock, BlobPrefix, BlobServiceClient, ContentSettings

import runner
from runner import raises, unique

SERVICE = BlobServiceClient.from_connection_string(runner.connection_string())


def container():
    return SERVICE.create_container(unique("c"))


def block_id(number):
    return base64.b64encode(f"{number:08}".encode()).decode()


def test_a_container_is_created_once():
    name = unique("c")
    SERVICE.create_container(name, metadata={"colour": "blue"})
    raises(ResourceExistsError, SERVICE.create_container, name, code="ContainerAlreadyExists")
    client = SERVICE.get_container_client(name)
    assert client.exists()
    properties = client.get_container_properties()
    assert properties.metadata == {"colour": "blue"}
    assert properties.etag.startswith('"') and properties.last_modified.tzinfo


def test_container_metadata_is_replaced_as_a_whole():
    client = container()
    before = client.get_container_properties().etag
    client.set_container_metadata({"one": "1", "two": "2"})
    client.set_container_metadata({"three": "3"})
    properties = client.get_container_properties()
    assert properties.metadata == {"three": "3"}
    assert properties.etag != before


def test_a_deleted_container_is_gone():
    client = container()
    client.delete_container()
    raises(ResourceNotFoundError, client.get_container_properties, code="ContainerNotFound")
    raises(ResourceNotFoundError, client.delete_container, code="ContainerNotFound")
    raises(ResourceNotFoundError, client.upload_blob, "b", b"x", code="ContainerNotFound")
    assert not client.exists()


def test_containers_are_listed_by_prefix_and_page():
    prefix = unique("list")
    names = [f"{prefix}-{number}" for number in range(5)]
    for name in names:
        SERVICE.create_container(name, metadata={"name": name})
    pages = list(SERVICE.list_containers(prefix, include_metadata=True, results_per_page=2).by_page())
    pages = [list(page) for page in pages]
    assert [len(page) for page in pages] == [2, 2, 1]
    found = [item for page in pages for item in page]
    assert [item.name for item in found] == names
    assert all(item.metadata == {"name": item.name} for item in found)
    assert all(item.etag.startswith('"') for item in found)


def test_a_wrong_container_name_is_refused():
    error = raises(HttpResponseError, SERVICE.create_container, "Not-A-Name")
    assert error.status_code == 400, error


def test_a_blob_comes_back_with_everything_it_was_given():
    client = container()
    body = os.urandom(70_000)
    settings = ContentSettings(
        content_type="text/x-test",
        content_encoding="identity",
        content_language="de",
        content_disposition="attachment",
        cache_control="no-store",
    )
    blob = client.get_blob_client("folder/with space & ümläut+plus%percent.txt")
    answer = blob.upload_blob(body, content_settings=settings, metadata={"colour": "blue", "empty_ish": "x"})
    stream = blob.download_blob()
    assert stream.readall() == body
    properties = blob.get_blob_properties()
    assert properties.size == len(body)
    assert properties.etag == answer["etag"] == stream.properties.etag
    assert properties.metadata == {"colour": "blue", "empty_ish": "x"}
    got = properties.content_settings
    assert got.content_type == "text/x-test" and got.content_encoding == "identity"
    assert got.content_language == "de" and got.content_disposition == "attachment"
    assert got.cache_control == "no-store"
    assert bytes(got.content_md5) == hashlib.md5(body).digest()
    assert properties.blob_type == "BlockBlob"
    assert properties.creation_time and properties.last_modified
    assert properties.lease.state == "available" and properties.lease.status == "unlocked"
    assert [item.name for item in client.list_blobs()] == [blob.blob_name]


def test_an_empty_blob_is_a_blob():
    client = container()
    client.upload_blob("empty", b"")
    assert client.download_blob("empty").readall() == b""
    assert client.get_blob_client("empty").get_blob_properties().size == 0


def test_ranges_are_cut_at_the_end_and_refused_beyond_it():
    client = container()
    body = os.urandom(5000)
    client.upload_blob("b", body)
    assert client.download_blob("b", offset=10, length=20).readall() == body[10:30]
    assert client.download_blob("b", offset=4990, length=100).readall() == body[4990:]
    assert client.download_blob("b", offset=4990).readall() == body[4990:]
    error = raises(HttpResponseError, client.download_blob, "b", offset=5000, length=1, code="InvalidRange")
    assert error.status_code == 416


def test_a_big_download_is_put_together_from_parallel_ranges():
    small = BlobServiceClient.from_connection_string(
        runner.connection_string(), max_single_get_size=64 << 10, max_chunk_get_size=64 << 10
    )
    client = container()
    body = os.urandom((1 << 20) + 123)
    client.upload_blob("b", body)
    found = small.get_blob_client(client.container_name, "b").download_blob(max_concurrency=4).readall()
    assert found == body


def test_a_big_upload_is_sent_in_blocks():
    small = BlobServiceClient.from_connection_string(
        runner.connection_string(), max_single_put_size=64 << 10, max_block_size=100 << 10
    )
    client = container()
    body = os.urandom((1 << 20) + 77)
    blob = small.get_blob_client(client.container_name, "b")
    blob.upload_blob(body, max_concurrency=4, metadata={"m": "v"})
    assert blob.download_blob().readall() == body
    committed, uncommitted = blob.get_block_list("all")
    assert sum(block.size for block in committed) == len(body) and not uncommitted
    assert blob.get_blob_properties().metadata == {"m": "v"}


def test_content_is_checked_against_its_md5():
    client = container()
    client.upload_blob("b", b"checked", validate_content=True)
    assert client.download_blob("b", validate_content=True).readall() == b"checked"
    assert client.download_blob("b", offset=1, length=3, validate_content=True).readall() == b"hec"
    blob = client.get_blob_client("wrong")
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    raises(HttpResponseError, blob.upload_blob, b"content", headers={"Content-MD5": wrong}, code="Md5Mismatch")
    raises(HttpResponseError, blob.upload_blob, b"content", headers={"Content-MD5": "eA=="}, code="InvalidMd5")
    assert not blob.exists()


def test_a_missing_blob_is_not_found():
    client = container()
    raises(ResourceNotFoundError, client.download_blob, "b", code="BlobNotFound")
    blob = client.get_blob_client("b")
    raises(ResourceNotFoundError, blob.get_blob_properties)
    raises(ResourceNotFoundError, blob.delete_blob, code="BlobNotFound")
    raises(ResourceNotFoundError, blob.set_blob_metadata, {"a": "b"}, code="BlobNotFound")
    raises(ResourceNotFoundError, blob.set_http_headers, ContentSettings(), code="BlobNotFound")
    assert not blob.exists()


def test_an_upload_that_must_not_overwrite_does_not():
    client = container()
    client.upload_blob("b", b"first")
    raises(ResourceExistsError, client.upload_blob, "b", b"second", code="BlobAlreadyExists")
    assert client.download_blob("b").readall() == b"first"
    client.upload_blob("b", b"third", overwrite=True)
    assert client.download_blob("b").readall() == b"third"


def test_an_overwrite_replaces_metadata_and_settings():
    client = container()
    client.upload_blob("b", b"1", metadata={"a": "b"}, content_settings=ContentSettings(content_type="a/b"))
    client.upload_blob("b", b"22", overwrite=True)
    properties = client.get_blob_client("b").get_blob_properties()
    assert properties.metadata == {} and properties.size == 2
    assert properties.content_settings.content_type == "application/octet-stream"


def test_writes_and_reads_obey_etags():
    client = container()
    blob = client.get_blob_client("b")
    first = blob.upload_blob(b"1")["etag"]
    second = blob.upload_blob(b"2", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified)
    assert second["etag"] != first
    stale = {"etag": first, "match_condition": MatchConditions.IfNotModified}
    raises(ResourceModifiedError, blob.upload_blob, b"3", overwrite=True, code="ConditionNotMet", **stale)
    raises(ResourceModifiedError, blob.download_blob, code="ConditionNotMet", **stale)
    raises(ResourceModifiedError, blob.set_blob_metadata, {"a": "b"}, code="ConditionNotMet", **stale)
    raises(ResourceModifiedError, blob.delete_blob, code="ConditionNotMet", **stale)
    current = {"etag": second["etag"], "match_condition": MatchConditions.IfModified}
    error = raises(HttpResponseError, blob.download_blob, **current)
    assert error.status_code == 304, error.status_code
    assert blob.download_blob(etag=first, match_condition=MatchConditions.IfModified).readall() == b"2"
    blob.delete_blob(etag=second["etag"], match_condition=MatchConditions.IfNotModified)
    assert not blob.exists()


def test_reads_and_writes_obey_dates():
    client = container()
    blob = client.get_blob_client("b")
    blob.upload_blob(b"1")
    past = datetime.now(timezone.utc) - timedelta(days=1)
    future = datetime.now(timezone.utc) + timedelta(days=1)
    assert blob.download_blob(if_modified_since=past).readall() == b"1"
    assert blob.download_blob(if_unmodified_since=future).readall() == b"1"
    assert raises(HttpResponseError, blob.download_blob, if_modified_since=future).status_code == 304
    raises(ResourceModifiedError, blob.download_blob, if_unmodified_since=past, code="ConditionNotMet")
    raises(ResourceModifiedError, blob.set_blob_metadata, {}, if_unmodified_since=past, code="ConditionNotMet")
    raises(ResourceModifiedError, blob.set_blob_metadata, {}, if_modified_since=future, code="ConditionNotMet")
    blob.set_blob_metadata({"x": "y"}, if_modified_since=past)


def test_metadata_and_settings_change_without_the_content():
    client = container()
    blob = client.get_blob_client("b")
    first = blob.upload_blob(b"stays", content_settings=ContentSettings(content_type="a/b"))["etag"]
    second = blob.set_blob_metadata({"k": "v"})["etag"]
    third = blob.set_http_headers(ContentSettings(content_type="c/d", content_language="en"))["etag"]
    assert len({first, second, third}) == 3
    properties = blob.get_blob_properties()
    assert properties.metadata == {"k": "v"}
    assert properties.content_settings.content_type == "c/d"
    assert properties.content_settings.content_language == "en"
    assert blob.download_blob().readall() == b"stays"
    blob.set_blob_metadata()
    assert blob.get_blob_properties().metadata == {}


def test_names_of_metadata_keep_their_case():
    metadata = {"Category": "test", "docTypeID": "A", "plain": "b"}
    client = SERVICE.create_container(unique("c"), metadata=metadata)
    assert client.get_container_properties().metadata == metadata
    listed = SERVICE.list_containers(client.container_name, include_metadata=True)
    assert [item.metadata for item in listed] == [metadata]
    client.set_container_metadata({"Other": "1"})
    assert client.get_container_properties().metadata == {"Other": "1"}

    client.upload_blob("put", b"x", metadata=metadata)
    client.get_blob_client("blocks").commit_block_list([], metadata=metadata)
    client.upload_blob("set", b"x").set_blob_metadata(metadata)
    client.get_blob_client("copy").start_copy_from_url(client.get_blob_client("put").url)
    for name in ("put", "blocks", "set", "copy"):
        blob = client.get_blob_client(name)
        assert blob.get_blob_properties().metadata == metadata, name
        assert blob.download_blob().properties.metadata == metadata, name
    assert [blob.metadata for blob in client.list_blobs(include=["metadata"])] == [metadata] * 4


def test_blocks_become_a_blob_in_the_order_of_the_list():
    client = container()
    blob = client.get_blob_client("b")
    for number in range(4):
        blob.stage_block(block_id(number), f"<{number}>".encode())
    raises(ResourceNotFoundError, blob.download_blob, code="BlobNotFound")
    committed, uncommitted = blob.get_block_list("all")
    assert not committed and sorted(block.id for block in uncommitted) == [block_id(n) for n in range(4)]
    assert all(block.size == 3 for block in uncommitted)
    assert list(client.list_blobs()) == []
    assert [item.name for item in client.list_blobs(include=["uncommittedblobs"])] == ["b"]
    order = [2, 0, 1]
    settings = ContentSettings(content_type="x/y")
    blob.commit_block_list([BlobBlock(block_id(n)) for n in order], content_settings=settings, metadata={"a": "b"})
    assert blob.download_blob().readall() == b"<2><0><1>"
    committed, uncommitted = blob.get_block_list("all")
    assert [block.id for block in committed] == [block_id(n) for n in order] and not uncommitted
    assert blob.get_blob_properties().content_settings.content_type == "x/y"
    # A second list reuses committed blocks, repeats one, and takes a new one.
    blob.stage_block(block_id(9), b"<new>")
    blob.commit_block_list([BlobBlock(block_id(n)) for n in (1, 9, 1)])
    assert blob.download_blob().readall() == b"<1><new><1>"
    properties = blob.get_blob_properties()
    assert properties.metadata == {} and properties.content_settings.content_type == "application/octet-stream"
    raises(HttpResponseError, blob.commit_block_list, [BlobBlock(block_id(7))], code="InvalidBlockList")
    assert blob.download_blob().readall() == b"<1><new><1>"
    blob.commit_block_list([])
    assert blob.download_blob().readall() == b""


def test_a_block_list_obeys_conditions():
    client = container()
    blob = client.get_blob_client("b")
    first = blob.upload_blob(b"1")["etag"]
    blob.stage_block(block_id(1), b"block")
    assert blob.get_blob_properties().etag == first, "a staged block leaves the blob alone"
    blob.set_blob_metadata({"x": "y"})
    blocks = [BlobBlock(block_id(1))]
    stale = {"etag": first, "match_condition": MatchConditions.IfNotModified}
    raises(ResourceModifiedError, blob.commit_block_list, blocks, code="ConditionNotMet", **stale)
    missing = {"match_condition": MatchConditions.IfMissing}
    raises(ResourceExistsError, blob.commit_block_list, blocks, code="BlobAlreadyExists", **missing)
    blob.commit_block_list(blocks)
    assert blob.download_blob().readall() == b"block"


def test_blobs_are_listed_flat_by_prefix_and_page():
    client = container()
    names = sorted(["a", "b/1", "b/2", "b/c/3", "bb", "z/ü", "z/<&>\"'"], key=lambda name: name.encode())
    for name in names:
        client.upload_blob(name, name.encode(), metadata={"length": str(len(name))})
    pages = [list(page) for page in client.list_blobs(results_per_page=3, include=["metadata"]).by_page()]
    assert [len(page) for page in pages] == [3, 3, 1]
    found = [blob for page in pages for blob in page]
    assert [blob.name for blob in found] == names
    for blob in found:
        assert blob.size == len(blob.name.encode()) and blob.metadata == {"length": str(len(blob.name))}
        assert not blob.etag.startswith('"'), "the etag of a listed blob has no quotes"
        assert bytes(blob.content_settings.content_md5) == hashlib.md5(blob.name.encode()).digest()
    assert [blob.name for blob in client.list_blobs("b/")] == ["b/1", "b/2", "b/c/3"]
    pager = client.list_blobs(results_per_page=2).by_page()
    assert [blob.name for blob in next(pager)] == names[:2]
    rest = client.list_blobs(results_per_page=100).by_page(pager.continuation_token)
    assert [blob.name for page in rest for blob in page] == names[2:]
    assert list(client.list_blob_names()) == names


def test_blobs_are_listed_by_delimiter():
    client = container()
    for name in ["a", "b/1", "b/2", "b/c/3", "bb", "c/x"]:
        client.upload_blob(name, b"")
    items = list(client.walk_blobs())
    # The client hands out the prefixes of a page before its blobs.
    kinds = [(item.name, isinstance(item, BlobPrefix)) for item in items]
    assert kinds == [("b/", True), ("c/", True), ("a", False), ("bb", False)], kinds
    items = [(item.name, isinstance(item, BlobPrefix)) for item in client.walk_blobs("b/")]
    assert items == [("b/c/", True), ("b/1", False), ("b/2", False)], items
    paged = [item.name for page in client.walk_blobs(results_per_page=1).by_page() for item in page]
    assert sorted(paged) == ["a", "b/", "bb", "c/"], paged


def test_a_wrong_key_is_refused():
    account = SERVICE.account_name
    key = base64.b64encode(b"not the key").decode()
    credential = {"account_name": account, "account_key": key}
    wrong = BlobServiceClient(SERVICE.url, credential=credential)
    raises(ClientAuthenticationError, wrong.create_container, unique("c"), code="AuthenticationFailed")
    raises(ClientAuthenticationError, lambda: list(wrong.list_containers()), code="AuthenticationFailed")
    nobody = BlobServiceClient(SERVICE.url)
    raises(HttpResponseError, lambda: list(nobody.list_containers()))


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
