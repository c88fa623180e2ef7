"""Versions of blobs, and containers that come back or get another name, through the official Python clients with and
without waiting. Renaming is in the clients, but not among what they show.

The command line has turned versioning on and lets deleted containers be kept."""

import asyncio
import sys

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, StandardBlobTier
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

import runner
from runner import raises, unique

SERVICE = BlobServiceClient.from_connection_string(runner.connection_string())


def container(**named):
    return SERVICE.create_container(unique("versions"), **named)


def listed(client, **named):
    """Version, whether it is the current one, and size, of every blob of a container in the order of the list."""
    found = client.list_blobs(include=["versions"], **named)
    return [(item.version_id, bool(item.is_current_version), item.size) for item in found]


def test_every_write_makes_a_version_and_each_keeps_what_it_had():
    client = container().get_blob_client("b")
    first = client.upload_blob(b"1", metadata={"k": "first"})["version_id"]
    second = client.set_blob_metadata({"k": "second"})["version_id"]
    client.stage_block("AAAA", b"333")
    third = client.commit_block_list(["AAAA"])["version_id"]
    assert first < second < third
    contents = {first: (b"1", {"k": "first"}), second: (b"1", {"k": "second"}), third: (b"333", {})}
    for version, (content, metadata) in contents.items():
        past = SERVICE.get_blob_client(client.container_name, "b", version_id=version)
        assert past.download_blob().readall() == content
        properties = past.get_blob_properties()
        assert (properties.version_id, properties.metadata) == (version, metadata)
        assert bool(properties.is_current_version) == (version == third)
    assert client.get_blob_properties().version_id == third
    whole = SERVICE.get_container_client(client.container_name)
    assert listed(whole) == [(first, False, 1), (second, False, 1), (third, True, 3)]
    assert [item.size for item in whole.list_blobs()] == [3]


def test_a_deleted_blob_is_still_there_in_its_versions_and_one_is_brought_back():
    whole = container()
    client = whole.get_blob_client("b")
    first = client.upload_blob(b"1")["version_id"]
    second = client.upload_blob(b"22", overwrite=True)["version_id"]
    client.delete_blob()
    assert not client.exists() and list(whole.list_blobs()) == []
    assert listed(whole) == [(first, False, 1), (second, False, 2)]
    copied = client.start_copy_from_url(f"{client.url}?versionid={first}")
    assert copied["copy_status"] == "success"
    assert client.download_blob().readall() == b"1"
    third = copied["version_id"]
    assert listed(whole) == [(first, False, 1), (second, False, 2), (third, True, 1)]


def test_a_name_with_nothing_but_versions_is_listed_with_what_the_newest_has():
    whole = container()
    client = whole.get_blob_client("b")
    client.upload_blob(b"1")
    newest = client.upload_blob(b"22", overwrite=True)
    whole.upload_blob("there", b"333")
    client.delete_blob()
    gone, there = whole.list_blobs(include=["deletedwithversions"])
    assert (gone.name, gone.has_versions_only, gone.version_id) == ("b", True, None)
    assert (gone.size, gone.blob_type, gone.blob_tier) == (2, "BlockBlob", "Hot")
    assert (gone.etag, gone.last_modified) == (newest["etag"].strip('"'), newest["last_modified"])
    assert (gone.lease.status, gone.lease.state) == ("unlocked", "available")
    assert (there.name, bool(there.has_versions_only)) == ("there", False)


def test_versions_are_deleted_one_by_one_and_the_current_one_only_with_the_blob():
    whole = container()
    client = whole.get_blob_client("b")
    first = client.upload_blob(b"1")["version_id"]
    second = client.upload_blob(b"22", overwrite=True)["version_id"]
    client.delete_blob(version_id=first)
    assert listed(whole) == [(second, True, 2)]
    raises(ResourceNotFoundError, client.download_blob, version_id=first)
    raises(HttpResponseError, client.delete_blob, version_id=second, code="OperationNotAllowedOnRootBlob")
    assert client.download_blob().readall() == b"22"
    client.delete_blob()
    client.delete_blob(version_id=second)
    assert listed(whole) == []


def test_tags_and_tiers_belong_to_one_version():
    client = container().get_blob_client("b")
    first = client.upload_blob(b"1", tags={"k": "first"})["version_id"]
    client.upload_blob(b"22", overwrite=True, tags={"k": "second"})
    assert client.get_blob_tags(version_id=first) == {"k": "first"}
    client.set_blob_tags({"k": "changed"}, version_id=first)
    assert client.get_blob_tags(version_id=first) == {"k": "changed"}
    assert client.get_blob_tags() == {"k": "second"}
    client.set_standard_blob_tier(StandardBlobTier.COOL, version_id=first)
    past = SERVICE.get_blob_client(client.container_name, "b", version_id=first)
    assert past.get_blob_properties().blob_tier == "Cool"
    assert client.get_blob_properties().blob_tier == "Hot"


def deleted(name):
    """The deleted container of a name, as the list tells it."""
    found = SERVICE.list_containers(name_starts_with=name, include_deleted=True, include_metadata=True)
    [one] = [item for item in found if item.deleted]
    return one


def test_a_deleted_container_comes_back_with_all_that_was_in_it():
    client = container(metadata={"k": "v"})
    name = client.container_name
    client.upload_blob("b", b"1")
    client.upload_blob("b", b"22", overwrite=True)
    versions = listed(client)
    client.delete_container()
    assert not client.exists()
    raises(ResourceNotFoundError, client.get_blob_client("b").download_blob)
    assert list(SERVICE.list_containers(name_starts_with=name)) == []
    kept = deleted(name)
    assert (kept.name, kept.metadata) == (name, {"k": "v"}) and kept.version
    again = SERVICE.undelete_container(name, kept.version)
    assert again.get_container_properties().metadata == {"k": "v"}
    assert listed(again) == versions
    assert again.get_blob_client("b").download_blob().readall() == b"22"
    [shown] = SERVICE.list_containers(name_starts_with=name, include_deleted=True)
    assert not shown.deleted
    raises(ResourceExistsError, SERVICE.undelete_container, name, kept.version, code="ContainerAlreadyExists")


def test_a_container_comes_back_only_while_nobody_has_its_name():
    client = container()
    name = client.container_name
    client.upload_blob("old", b"old")
    client.delete_container()
    kept = deleted(name)
    made = SERVICE.create_container(name)
    raises(ResourceExistsError, SERVICE.undelete_container, name, kept.version, code="ContainerAlreadyExists")
    assert list(made.list_blobs()) == []
    raises(ResourceNotFoundError, SERVICE.undelete_container, unique("never"), kept.version)


def test_a_container_gets_another_name_and_keeps_all_that_it_has():
    client, other = container(metadata={"k": "v"}), container()
    client.upload_blob("b", b"1", tags={"place": client.container_name})
    client.upload_blob("b", b"22", overwrite=True, tags={"place": client.container_name})
    versions = listed(client)
    old, new = client.container_name, unique("renamed")
    raises(ResourceNotFoundError, SERVICE._rename_container, unique("never"), new, code="ContainerNotFound")
    raises(ResourceExistsError, SERVICE._rename_container, old, other.container_name, code="ContainerAlreadyExists")
    renamed = SERVICE._rename_container(old, new)
    assert not client.exists()
    properties = renamed.get_container_properties()
    assert (properties.name, properties.metadata) == (new, {"k": "v"})
    assert listed(renamed) == versions
    assert renamed.get_blob_client("b").download_blob().readall() == b"22"
    [found] = SERVICE.find_blobs_by_tags(f"place='{old}'")
    assert (found.container_name, found.name) == (new, "b")
    SERVICE.create_container(old)


def test_a_leased_container_is_renamed_by_its_holder():
    client, new = container(), unique("renamed")
    old, lease = client.container_name, client.acquire_lease()
    raises(HttpResponseError, SERVICE._rename_container, old, new, code="LeaseIdMissing")
    raises(HttpResponseError, SERVICE._rename_container, old, new, lease="bad_id", code="InvalidHeaderValue")
    wrong = "11111111-1111-1111-1111-111111111111"
    mismatch = "LeaseIdMismatchWithContainerOperation"
    raises(HttpResponseError, SERVICE._rename_container, old, new, lease=wrong, code=mismatch)
    renamed = SERVICE._rename_container(old, new, lease=lease)
    assert renamed.get_container_properties().lease.state == "available"
    raises(HttpResponseError, renamed.delete_container, lease=lease, code="LeaseNotPresentWithContainerOperation")
    renamed.delete_container()


def test_the_clients_without_waiting_do_the_same():
    async def all_of_it():
        async with AsyncBlobServiceClient.from_connection_string(runner.connection_string()) as service:
            whole = await service.create_container(unique("versions"))
            client = whole.get_blob_client("b")
            first = (await client.upload_blob(b"1"))["version_id"]
            second = (await client.upload_blob(b"22", overwrite=True))["version_id"]
            assert await (await client.download_blob(version_id=first)).readall() == b"1"
            found = [item.version_id async for item in whole.list_blobs(include=["versions"])]
            assert found == [first, second]
            await whole.delete_container()
            name = whole.container_name
            names = service.list_containers(name_starts_with=name, include_deleted=True)
            [kept] = [item async for item in names]
            again = await service.undelete_container(name, kept.version)
            again = await service._rename_container(name, unique("renamed"))
            content = await again.get_blob_client("b").download_blob()
            assert await content.readall() == b"22"

    asyncio.run(all_of_it())


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
