"""Tags, searches by tag, batches, and listings in both of their forms, through the official Python client."""

import asyncio
import sys
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import (
    BlobPrefix,
    BlobServiceClient,
    BlobType,
    ContainerClient,
    ContainerSasPermissions,
    PartialBatchErrorException,
    RetentionPolicy,
    generate_container_sas,
)
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

import runner
from runner import raises, unique

SERVICE = BlobServiceClient.from_connection_string(runner.connection_string())
TAGS = {"colour": "blue", "a +-./:=_": ""}


def container():
    return SERVICE.create_container(unique("c"))


def sas(client, **permissions):
    """The container's client, with nothing but a signature."""
    token = generate_container_sas(
        SERVICE.account_name,
        client.container_name,
        account_key=SERVICE.credential.account_key,
        permission=ContainerSasPermissions(**permissions),
        expiry=datetime.now(timezone.utc) + timedelta(hours=1),
    )
    return ContainerClient.from_container_url(client.url, credential=token)


def test_tags_are_replaced_as_a_whole():
    blob = container().get_blob_client("b")
    blob.upload_blob(b"x", tags={"first": "1"})
    assert blob.get_blob_tags() == {"first": "1"}
    etag = blob.get_blob_properties().etag
    blob.set_blob_tags(TAGS)
    assert blob.get_blob_tags() == TAGS
    properties = blob.get_blob_properties()
    assert (properties.tag_count, properties.etag) == (2, etag)
    blob.set_blob_tags()
    assert blob.get_blob_tags() == {} and blob.get_blob_properties().tag_count is None


def test_tags_have_limits_and_conditions():
    blob = container().get_blob_client("b")
    raises(ResourceNotFoundError, blob.get_blob_tags, code="BlobNotFound")
    blob.upload_blob(b"x", tags=TAGS)
    many = {str(number): "v" for number in range(11)}
    raises(HttpResponseError, blob.set_blob_tags, many, code="TagsTooLarge")
    raises(HttpResponseError, blob.set_blob_tags, {"k": "é"}, code="InvalidTag")
    wrong = "\"colour\" = 'red'"
    raises(ResourceModifiedError, blob.set_blob_tags, {}, if_tags_match_condition=wrong, code="ConditionNotMet")
    assert blob.get_blob_tags(if_tags_match_condition="colour >= 'blue'") == TAGS
    lease = "00000000-0000-0000-0000-000000000001"
    raises(HttpResponseError, blob.set_blob_tags, {}, lease=lease, code="LeaseNotPresentWithBlobOperation")
    assert blob.get_blob_tags() == TAGS


def test_blobs_are_found_by_tags_in_pages_while_others_come_and_go():
    first, second, mark = container(), container(), unique("m")
    for number in range(7):
        blob = (first, second)[number % 2].get_blob_client(f"b{number}")
        blob.upload_blob(b"x", tags={"mark": mark, "n": str(number)})
    where = f"mark = '{mark}' AND n >= '1' AND \"n\" < '6'"
    pages = SERVICE.find_blobs_by_tags(where, results_per_page=2).by_page()
    found = list(next(pages))
    # Others come and go in front of the place at which the next page begins, and what is behind it goes.
    first.delete_blob(found[0].name)
    first.upload_blob("a", b"x", tags={"mark": mark, "n": "1"})
    second.delete_blob("b5")
    for page in pages:
        page = list(page)
        assert len(page) <= 2
        found.extend(page)
    names = {(blob.container_name, blob.name) for blob in found}
    expected = {"b2": first, "b4": first, "b1": second, "b3": second}
    assert len(names) == len(found), "nothing is found twice"
    assert {(client.container_name, name) for name, client in expected.items()} <= names
    assert all(set(blob.tags) == {"mark", "n"} and blob.tags["mark"] == mark for blob in found)
    only = SERVICE.find_blobs_by_tags(f"@container = '{second.container_name}' AND mark = '{mark}'")
    assert sorted(blob.name for blob in only) == ["b1", "b3"]
    assert [blob.name for blob in second.find_blobs_by_tags("n = '3'")] == ["b3"]
    raises(HttpResponseError, lambda: list(SERVICE.find_blobs_by_tags("n = 3")), code="InvalidQueryParameterValue")


def test_a_signature_opens_tags_and_searches_only_with_their_letters():
    client = container()
    client.upload_blob("b", b"x", tags=TAGS)
    found = sas(client, filter_by_tags=True).find_blobs_by_tags("colour = 'blue'")
    assert [blob.name for blob in found] == ["b"]
    reader = sas(client, read=True, list=True)
    raises(HttpResponseError, reader.get_blob_client("b").get_blob_tags, code="AuthorizationPermissionMismatch")
    raises(HttpResponseError, lambda: list(reader.find_blobs_by_tags("colour = 'blue'")),
           code="AuthorizationPermissionMismatch")
    tagger = sas(client, tag=True).get_blob_client("b")
    tagger.set_blob_tags({"colour": "red"})
    assert tagger.get_blob_tags() == {"colour": "red"}


def test_a_batch_deletes_and_says_what_it_could_not():
    client = container()
    names = [f"dir/b {number} é" for number in range(20)]
    for name in names:
        client.upload_blob(name, b"x")
    answers = list(client.delete_blobs(*names[:10]))
    assert [answer.status_code for answer in answers] == [202] * 10
    assert all(answer.headers["x-ms-delete-type-permanent"] == "true" for answer in answers)
    assert [blob.name for blob in client.list_blobs()] == sorted(names[10:])
    mixed = [names[0], names[10], "none"]
    answers = list(client.delete_blobs(*mixed, raise_on_any_failure=False))
    assert [answer.status_code for answer in answers] == [404, 202, 404]
    assert answers[0].headers["x-ms-error-code"] == "BlobNotFound"
    error = raises(PartialBatchErrorException, client.delete_blobs, names[11], "none")
    assert [part.status_code for part in error.parts] == [202, 404]
    assert len(list(client.list_blobs())) == 8


def test_each_part_of_a_batch_has_its_own_right():
    client = container()
    for name in ["a", "b"]:
        client.upload_blob(name, b"x")
    answers = list(sas(client, read=True, list=True).delete_blobs("a", "b", raise_on_any_failure=False))
    assert [answer.headers["x-ms-error-code"] for answer in answers] == ["AuthorizationPermissionMismatch"] * 2
    assert len(list(client.list_blobs())) == 2
    answers = list(sas(client, delete=True).delete_blobs("a", "b"))
    assert [answer.status_code for answer in answers] == [202, 202]
    assert list(client.list_blobs()) == []


def test_a_batch_of_256_is_the_largest():
    client = container()
    answers = list(client.delete_blobs(*(str(number) for number in range(256)), raise_on_any_failure=False))
    assert len(answers) == 256 and all(answer.status_code == 404 for answer in answers)
    many = [str(number) for number in range(257)]
    raises(HttpResponseError, client.delete_blobs, *many, raise_on_any_failure=False,
           code="ExceedsMaxBatchRequestCount")


def test_a_batch_sets_tiers():
    client = container()
    for name in ["a", "b"]:
        client.upload_blob(name, b"x")
    answers = list(client.set_standard_blob_tier_blobs("Cool", "a", "b", "none", raise_on_any_failure=False))
    assert [answer.status_code for answer in answers] == [200, 200, 404]
    for form in ["arrow", "xml"]:
        blobs = list(client.list_blobs(response_format=form))
        assert [(blob.blob_tier, bool(blob.blob_tier_inferred)) for blob in blobs] == [("Cool", False)] * 2
        assert all(blob.blob_tier_change_time.tzinfo for blob in blobs)


def test_snapshots_and_deleted_blobs_are_listed_on_request():
    SERVICE.set_service_properties(delete_retention_policy=RetentionPolicy(enabled=True, days=3))
    try:
        client = container()
        blob = client.get_blob_client("b")
        blob.upload_blob(b"x", tags={"t": "1"}, metadata={"k": "v"})
        snapshot = blob.create_snapshot()["snapshot"]
        client.upload_blob("gone", b"x")
        client.delete_blob("gone")
        for form in ["arrow", "xml"]:
            assert [item.name for item in client.list_blobs(response_format=form)] == ["b"]
            items = list(client.list_blobs(include=["snapshots", "deleted", "tags"], response_format=form))
            assert [(item.name, item.snapshot or None, item.deleted or False) for item in items] == [
                ("b", snapshot, False), ("b", None, False), ("gone", None, True)], form
            assert items[0].tags == {"t": "1"}
            deleted = items[-1]
            assert deleted.remaining_retention_days == 2 and deleted.deleted_time.tzinfo, form
        assert client.get_blob_client("b", snapshot=snapshot).get_blob_tags() == {"t": "1"}
        found = list(client.find_blobs_by_tags("t = '1'"))
        assert [item.name for item in found] == ["b"], "snapshots are not found"
        raises(HttpResponseError, lambda: list(client.walk_blobs(include=["snapshots"])),
               code="InvalidQueryParameterValue")
    finally:
        SERVICE.set_service_properties(delete_retention_policy=RetentionPolicy(enabled=False))


def fill(client):
    client.upload_blob("a/1", b"one", metadata={"k": "v"}, tags={"t": "1"})
    client.upload_blob("a/2", b"", blob_type=BlobType.BLOCKBLOB)
    client.upload_blob("b", b"two", metadata={"m": "<&>"}, tags={"u": "2", "w": "3"})
    client.upload_blob("x\uffff", b"odd")


def same(one, other):
    """What two listings tell of a blob, as far as both forms can."""
    for name in ["name", "container", "size", "etag", "last_modified", "creation_time", "metadata", "tag_count",
                 "blob_type", "blob_tier", "blob_tier_inferred", "server_encrypted", "deleted", "has_legal_hold"]:
        # What is false or empty is missing in one of the two.
        assert (one[name] or None) == (other[name] or None), f"{one.name} {name}: {one[name]!r} {other[name]!r}"
    assert (one.tags or {}) == (other.tags or {}), f"{one.name}: {one.tags} {other.tags}"
    for part in ["content_settings", "lease", "copy", "immutability_policy"]:
        a, b = dict(one[part]), dict(other[part])
        assert {k: v or None for k, v in a.items()} == {k: v or None for k, v in b.items()}, (part, a, b)


def test_a_table_tells_what_the_document_tells():
    client = container()
    fill(client)
    include = ["metadata", "tags", "copy", "legalhold", "immutabilitypolicy"]
    documents = list(client.list_blobs(include=include))
    tables = list(client.list_blobs(include=include, response_format="arrow"))
    assert [blob.name for blob in tables] == ["a/1", "a/2", "b", "x\uffff"]
    assert len(documents) == len(tables)
    for one, other in zip(documents, tables):
        same(one, other)
    first = tables[0]
    assert (first.metadata, first.tags, first.size) == ({"k": "v"}, {"t": "1"}, 3)
    assert first.content_settings.content_type == "application/octet-stream"
    assert first.last_modified.tzinfo and first.lease.state == "available"
    bare = list(client.list_blobs(response_format="arrow"))[0]
    assert bare.metadata == {} and bare.tags is None and bare.tag_count == 1


def test_tables_page_and_nest_as_documents_do():
    client = container()
    fill(client)
    pages = client.list_blobs(response_format="arrow", results_per_page=3).by_page()
    assert [[blob.name for blob in page] for page in pages] == [["a/1", "a/2", "b"], ["x\uffff"]]
    names = client.list_blob_names(response_format="arrow", start_from="a/2", end_before="x")
    assert list(names) == ["a/2", "b"]
    for form in ["arrow", "xml"]:
        entries = list(client.walk_blobs(delimiter="/", response_format=form))
        assert [entry.name for entry in entries] == ["a/", "b", "x\uffff"], form
        assert isinstance(entries[0], BlobPrefix)
        assert [blob.name for blob in entries[0]] == ["a/1", "a/2"], form
    assert list(container().list_blobs(response_format="arrow")) == []


def test_a_document_spells_names_that_xml_cannot_hold():
    client = container()
    fill(client)
    assert [blob.name for blob in client.list_blobs(name_starts_with="x")] == ["x\uffff"]
    assert [blob.name for blob in client.list_blobs(start_from="b")] == ["b", "x\uffff"]


def test_uncommitted_blobs_are_shown_in_both_forms():
    client = container()
    client.get_blob_client("staged").stage_block("AAAA", b"x")
    for form in ["arrow", "xml"]:
        assert list(client.list_blobs(response_format=form)) == []
        blobs = list(client.list_blobs(include=["uncommittedblobs"], response_format=form))
        assert [(blob.name, blob.size) for blob in blobs] == [("staged", 0)], form


def test_a_listing_goes_on_while_blobs_come_and_go():
    client = container()
    for number in range(0, 40, 2):
        client.upload_blob(f"{number:02}", b"x")
    seen = []
    for page in client.list_blobs(results_per_page=3).by_page():
        names = [blob.name for blob in page]
        seen.extend(names)
        client.delete_blob(names[-1])
        client.upload_blob(f"{int(names[0]) - 1:02}" if names[0] > "00" else "-", b"before the marker")
    assert seen == [f"{number:02}" for number in range(0, 40, 2)], seen


def test_the_client_without_waiting_gets_the_same():
    async def check():
        async with AsyncBlobServiceClient.from_connection_string(runner.connection_string()) as service:
            client = await service.create_container(unique("c"))
            mark = unique("m")
            for name in ["a/1", "b"]:
                await client.upload_blob(name, b"x", tags={"mark": mark})
            assert await client.get_blob_client("b").get_blob_tags() == {"mark": mark}
            found = [blob.name async for blob in service.find_blobs_by_tags(f"mark = '{mark}'")]
            assert found == ["a/1", "b"]
            listed = client.list_blobs(include=["tags"], response_format="arrow")
            assert [(blob.name, blob.tags) async for blob in listed] == [
                ("a/1", {"mark": mark}), ("b", {"mark": mark})]
            answers = [answer.status_code async for answer in await client.delete_blobs("a/1", "b")]
            assert answers == [202, 202]
            assert [blob async for blob in client.list_blobs()] == []

    asyncio.run(check())


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
