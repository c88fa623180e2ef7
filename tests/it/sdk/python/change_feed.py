"""The change feed through the vendor's own reader of it.

`change_feed.py plain` runs when the command line has turned the feed on; `change_feed.py kept` on the same server, which has
been killed and started again meanwhile; `change_feed.py versioned` when versioning has been turned on as well."""

import json
import sys
import time
import uuid
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobBlock, BlobServiceClient, ContentSettings, RetentionPolicy, StandardBlobTier
from azure.storage.blob.changefeed import ChangeFeedClient

import runner
from runner import raises, unique

CONNECTION = runner.connection_string()
BLOBS = BlobServiceClient.from_connection_string(CONNECTION)
FEED = ChangeFeedClient.from_connection_string(CONNECTION)
FILES = BLOBS.get_container_client("$blobchangefeed")


def eventually(what, probe):
    """What `probe` gives, once it gives something. The feed is written in the background, how soon is not judged."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"in vain: {what}")


def of(container, changes):
    """The events of a container, in the order of the feed."""
    return [event for event in changes if f"/containers/{container}/blobs/" in event["subject"]]


def told(container, count):
    """The events of a container, which must become so many and no more."""
    # The feed's own container comes with the first of them; a reader that is there before finds none.
    eventually("the feed", FILES.exists)
    probe = lambda: of(container, FEED.list_changes())
    found = eventually(f"{count} events", lambda: (found := probe()) and len(found) >= count and found)
    # What was written after these is in the feed too, so nothing of theirs is still on its way.
    marker = BLOBS.get_container_client(unique("marker"))
    marker.create_container()
    marker.upload_blob("marker", b"")
    eventually("the marker", lambda: of(marker.container_name, FEED.list_changes()))
    found = probe()
    assert len(found) == count, [(event["eventType"], event["data"]["api"]) for event in found]
    return found


def kinds(events):
    return [(event["eventType"], event["data"]["api"]) for event in events]


def plain(etag):
    return etag.strip('"')


def test_plain_every_change_is_told_in_order_with_what_it_was():
    container = BLOBS.create_container(unique("changes"))
    blob = container.get_blob_client("dir/a b é")
    mine = str(uuid.uuid4())
    before = datetime.now(timezone.utc)
    made = blob.upload_blob(
        b"hello", content_settings=ContentSettings(content_type="text/plain"), client_request_id=mine
    )
    replaced = blob.upload_blob(b"hello, world", overwrite=True)
    metadata = blob.set_blob_metadata({"k": "v"})
    blob.set_http_headers(ContentSettings(content_type="text/html", cache_control="no-cache"))
    blob.set_blob_tags({"colour": "red"})
    blob.set_blob_tags({"colour": "blue", "size": "1"})
    snapshot = blob.create_snapshot()["snapshot"]
    blob.set_standard_blob_tier("Cool")
    # Nobody is told of these.
    lease = blob.acquire_lease(15)
    lease.release()
    blob.stage_block("AAAA", b"block")
    listed = blob.commit_block_list([BlobBlock("AAAA")])
    copy = container.get_blob_client("copy")
    copied = copy.start_copy_from_url(blob.url + "?" + sas(blob))
    container.get_blob_client("append").create_append_blob()
    container.get_blob_client("append").append_block(b"not told")
    container.get_blob_client("page").create_page_blob(1024)
    BLOBS.get_blob_client(container.container_name, "dir/a b é", snapshot=snapshot).delete_blob()
    blob.delete_blob()
    events = told(container.container_name, 14)
    assert kinds(events) == [
        ("BlobCreated", "PutBlob"),
        ("BlobCreated", "PutBlob"),
        ("BlobPropertiesUpdated", "SetBlobMetadata"),
        ("BlobPropertiesUpdated", "SetBlobProperties"),
        ("BlobPropertiesUpdated", "SetBlobTags"),
        ("BlobPropertiesUpdated", "SetBlobTags"),
        ("BlobSnapshotCreated", "SnapshotBlob"),
        ("BlobTierChanged", "SetBlobTier"),
        ("BlobCreated", "PutBlockList"),
        ("BlobCreated", "CopyBlob"),
        ("BlobCreated", "PutBlob"),
        ("BlobCreated", "PutBlob"),
        ("BlobDeleted", "DeleteBlob"),
        ("BlobDeleted", "DeleteBlob"),
    ]
    data = [event["data"] for event in events]
    first, account = events[0], BLOBS.account_name
    assert first["schemaVersion"] == 5
    assert first["topic"].endswith(f"/providers/Microsoft.Storage/storageAccounts/{account}")
    subject = f"/blobServices/default/containers/{container.container_name}/blobs/"
    assert [event["subject"] for event in events[9:12]] == [subject + name for name in ("copy", "append", "page")]
    assert {event["subject"] for event in events[:9] + events[12:]} == {subject + "dir/a b é"}
    when = datetime.strptime(first["eventTime"][:26], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=timezone.utc)
    assert before - timedelta(minutes=1) < when < datetime.now(timezone.utc) + timedelta(minutes=1)
    assert (data[0]["clientRequestId"], data[0]["requestId"]) == (mine, made["request_id"])
    assert [part["etag"] for part in data[:3]] == [plain(write["etag"]) for write in (made, replaced, metadata)]
    assert (data[8]["etag"], data[9]["etag"]) == (plain(listed["etag"]), plain(copied["etag"]))
    assert [part["contentLength"] for part in data] == [5] + [12] * 7 + [5, 5, 0, 1024, 12, 5]
    assert [part["contentType"] for part in data[:4]] == ["text/plain"] + ["application/octet-stream"] * 2 + ["text/html"]
    assert [part["blobType"] for part in data[9:12]] == ["BlockBlob", "AppendBlob", "PageBlob"]
    assert data[3]["blobPropertiesUpdated"] == {
        "ContentType": {"current": "text/html", "previous": "application/octet-stream"},
        "CacheControl": {"current": "no-cache", "previous": ""},
        # Headers are set as a whole, and none was given.
        **{name: value for name, value in data[3]["blobPropertiesUpdated"].items() if name == "ContentMD5"},
    }
    assert data[4]["blobTagsUpdated"] == {"previous": {}, "current": {"colour": "red"}}
    assert data[5]["blobTagsUpdated"]["previous"] == {"colour": "red"}
    assert data[5]["blobTagsUpdated"]["current"] == {"colour": "blue", "size": "1"}
    assert [part["snapshot"] for part in data[6:8]] == [snapshot, None] and data[12]["snapshot"] == snapshot
    assert (data[7]["blobTier"], data[7]["previousInfo"]) == ("Cool", {"PreviousTier": "Hot"})
    assert [part["blobTier"] for part in data[8:12]] == ["Hot", "Hot", None, None]
    sequencers = [part["sequencer"] for part in data]
    assert sequencers == sorted(sequencers) and len(set(sequencers)) == len(sequencers)
    assert len({event["id"] for event in events}) == len(events)
    assert len({part["containerVersion"] for part in data}) == 1


def sas(blob):
    from azure.storage.blob import BlobSasPermissions, generate_blob_sas

    return generate_blob_sas(
        blob.account_name,
        blob.container_name,
        blob.blob_name,
        account_key=BLOBS.credential.account_key,
        permission=BlobSasPermissions(read=True),
        expiry=datetime.now(timezone.utc) + timedelta(hours=1),
    )


def test_plain_what_is_deleted_softly_and_comes_back_is_told():
    BLOBS.set_service_properties(delete_retention_policy=RetentionPolicy(True, 7))
    try:
        container = BLOBS.create_container(unique("restored"))
        blob = container.get_blob_client("b")
        blob.upload_blob(b"1")
        blob.upload_blob(b"22", overwrite=True)
        blob.delete_blob()
        blob.undelete_blob()
        events = told(container.container_name, 5)
    finally:
        BLOBS.set_service_properties(delete_retention_policy=RetentionPolicy(False))
    assert kinds(events) == [
        ("BlobCreated", "PutBlob"),
        ("BlobCreated", "PutBlob"),
        ("BlobDeleted", "DeleteBlob"),
        # What was overwritten comes back as a snapshot.
        ("BlobSnapshotCreated", "UndeleteBlob"),
        ("BlobCreated", "UndeleteBlob"),
    ]
    data = [event["data"] for event in events]
    assert data[1]["previousInfo"]["SoftDeleteSnapshot"] == data[3]["snapshot"]
    assert data[2]["previousInfo"] == {"WasBlobSoftDeleted": "true"} == data[4]["previousInfo"]
    assert (data[4]["etag"], data[4]["contentLength"]) == (data[2]["etag"], 2)


def test_plain_the_way_out_of_the_archive_is_told_when_it_begins_and_when_it_ends():
    container = BLOBS.create_container(unique("archive"))
    blob = container.get_blob_client("b")
    blob.upload_blob(b"x", standard_blob_tier=StandardBlobTier.ARCHIVE)
    blob.set_standard_blob_tier("Hot", rehydrate_priority="High")
    events = told(container.container_name, 2) and eventually(
        "the hot tier", lambda: (found := of(container.container_name, FEED.list_changes()))[2:] and found
    )
    assert kinds(events) == [
        ("BlobCreated", "PutBlob"),
        ("BlobAsyncOperationInitiated", "SetBlobTier"),
        ("BlobTierChanged", "SetBlobTier"),
    ]
    data = [event["data"] for event in events]
    assert [part["blobTier"] for part in data] == ["Archive", "Archive", "Hot"]
    assert data[1]["asyncOperationInfo"] == {"DestinationTier": "Hot"}
    assert data[2]["asyncOperationInfo"] == {"DestinationTier": "Hot", "WasAsyncOperation": "true"}
    assert data[2]["previousInfo"] == {"PreviousTier": "Archive"}


def test_plain_a_cursor_goes_on_where_it_stood_and_misses_nothing_that_came_meanwhile():
    container = BLOBS.create_container(unique("cursor"))
    for number in range(10):
        container.upload_blob(f"before/{number}", b"x")
    told(container.container_name, 10)
    whole = [event["id"] for event in FEED.list_changes()]
    in_pages, token = [], None
    while True:
        pages = FEED.list_changes(results_per_page=4).by_page(continuation_token=token)
        page = next(pages, None)
        events = list(page) if page else []
        if not events:
            break
        assert len(events) <= 4
        in_pages += [event["id"] for event in events]
        token = pages.continuation_token
    assert in_pages == whole
    for number in range(5):
        container.upload_blob(f"after/{number}", b"x")
    told(container.container_name, 15)
    later = [event for page in FEED.list_changes().by_page(continuation_token=token) for event in page]
    names = [event["subject"].rsplit("/blobs/")[1] for event in of(container.container_name, later)]
    assert names == [f"after/{number}" for number in range(5)]


def test_plain_hours_are_chosen_by_start_and_end():
    container = BLOBS.create_container(unique("hours"))
    container.upload_blob("b", b"x")
    told(container.container_name, 1)
    now, hour = datetime.now(timezone.utc).replace(tzinfo=None), timedelta(hours=1)
    within = FEED.list_changes(start_time=now - hour, end_time=now + hour)
    assert len(of(container.container_name, within)) == 1
    assert list(FEED.list_changes(end_time=now - 2 * hour)) == []
    assert list(FEED.list_changes(start_time=now + 2 * hour)) == []


def test_plain_the_feed_lies_where_the_pages_say():
    container = BLOBS.create_container(unique("layout"))
    container.upload_blob("b", b"x")
    told(container.container_name, 1)
    names = [blob.name for blob in FILES.list_blobs()]
    assert "meta/segments.json" in names and "idx/segments/1601/01/01/0000/meta.json" in names
    last = json.loads(FILES.download_blob("meta/segments.json").readall())["lastConsumable"]
    hour = last[:13].replace("-", "/").replace("T", "/") + "00"
    segment = json.loads(FILES.download_blob(f"idx/segments/{hour}/meta.json").readall())
    assert segment["chunkFilePaths"] == [f"$blobchangefeed/log/00/{hour}/"]
    assert (segment["begin"], segment["intervalSecs"], segment["status"]) == (last, 3600, "Publishing")
    log = FILES.get_blob_client(f"log/00/{hour}/00000.avro")
    assert log.get_blob_properties().blob_type == "AppendBlob"
    assert log.download_blob(offset=0, length=4).readall() == b"Obj\x01"
    assert not any("$blobchangefeed" in event["subject"] for event in FEED.list_changes())


def test_plain_nobody_but_the_server_writes_it():
    eventually("the feed", FILES.exists)
    assert "$blobchangefeed" not in [container.name for container in BLOBS.list_containers()]
    system = BLOBS.list_containers(include_system=True)
    assert "$blobchangefeed" in [container.name for container in system]
    refused = lambda call, *given, **named: raises(
        HttpResponseError, call, *given, code="InsufficientAccountPermissions", **named
    )
    index = FILES.get_blob_client("meta/segments.json")
    refused(FILES.upload_blob, "mine", b"x")
    refused(index.upload_blob, b"x", overwrite=True)
    refused(index.delete_blob)
    refused(index.set_blob_metadata, {"k": "v"})
    refused(index.create_snapshot)
    refused(index.acquire_lease)
    refused(index.set_standard_blob_tier, "Cool")
    refused(FILES.delete_container)
    refused(FILES.create_container)
    refused(FILES.set_container_access_policy, {}, public_access="blob")
    refused(FILES.delete_blobs, "meta/segments.json")
    assert index.exists()


def test_plain_something_is_left_for_after_the_kill():
    container = BLOBS.create_container("killed")
    for number in range(300):
        container.upload_blob(f"{number:03}", b"x")


def test_kept_what_was_acknowledged_before_a_kill_is_told_once():
    events = told("killed", 300)
    names = [event["subject"].rsplit("/blobs/")[1] for event in events]
    assert names == [f"{number:03}" for number in range(300)]


def test_versioned_events_name_versions():
    container = BLOBS.create_container(unique("versions"))
    blob = container.get_blob_client("b")
    first = blob.upload_blob(b"1")["version_id"]
    second = blob.upload_blob(b"22", overwrite=True)["version_id"]
    third = blob.set_blob_metadata({"k": "v"})["version_id"]
    blob.delete_blob()
    BLOBS.get_blob_client(container.container_name, "b", version_id=first).delete_blob()
    events = told(container.container_name, 5)
    assert kinds(events) == [
        ("BlobCreated", "PutBlob"),
        ("BlobCreated", "PutBlob"),
        ("BlobPropertiesUpdated", "SetBlobMetadata"),
        ("BlobDeleted", "DeleteBlob"),
        ("BlobDeleted", "DeleteBlob"),
    ]
    data = [event["data"] for event in events]
    assert [part["blobVersion"] for part in data] == [first, second, third, third, first]
    assert data[0]["previousInfo"] is None
    assert data[1]["previousInfo"] == {"BlobVersion": second, "LastVersion": first}
    assert data[2]["previousInfo"] == {"BlobVersion": third, "LastVersion": second}


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
