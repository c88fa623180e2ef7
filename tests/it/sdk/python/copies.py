"""Copies through the official Python client: within the server, from a second server, and from a plain web server.

The second server is given by LINARITE_OTHER_CONNECTION_STRING. The first one has to allow private sources, because both
are on this machine.
"""

import asyncio
import http.server
import os
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import (
    BlobBlock,
    BlobSasPermissions,
    BlobServiceClient,
    ContainerSasPermissions,
    ContentSettings,
    RehydratePriority,
    StandardBlobTier,
    generate_blob_sas,
    generate_container_sas,
)
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

import runner
from runner import raises, unique

SERVICE = BlobServiceClient.from_connection_string(runner.connection_string())
OTHER = BlobServiceClient.from_connection_string(os.environ["LINARITE_OTHER_CONNECTION_STRING"])
CONTENT = bytes(range(256)) * 37


def container(service=SERVICE):
    return service.create_container(unique("c"))


def signed(blob, permission="r"):
    token = generate_blob_sas(
        blob.account_name,
        blob.container_name,
        blob.blob_name,
        account_key=blob.credential.account_key,
        permission=BlobSasPermissions.from_string(permission),
        expiry=datetime.now(timezone.utc) + timedelta(hours=1),
    )
    return blob.url + "?" + token


def of_container(blob):
    """A signature for all of the blob's container, also for snapshots."""
    return generate_container_sas(
        blob.account_name,
        blob.container_name,
        account_key=blob.credential.account_key,
        permission=ContainerSasPermissions(read=True),
        expiry=datetime.now(timezone.utc) + timedelta(hours=1),
    )


def source(service=SERVICE, content=CONTENT, **options):
    blob = container(service).get_blob_client("dir/source ä.bin")
    blob.upload_blob(content, **options)
    return blob


def finished(blob):
    for _ in range(600):
        copy = blob.get_blob_properties().copy
        if copy.status != "pending":
            return copy
        time.sleep(0.05)
    raise AssertionError("the copy stays pending")


class Web:
    """A plain web server that answers `answer(handler)` and remembers what was asked."""

    def __init__(self, answer):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(dict(self.headers))
                answer(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/file"


def whole(content, **headers):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def test_a_blob_is_copied_within_the_account_by_its_key():
    settings = ContentSettings(content_type="text/plain", content_language="de")
    original = source(metadata={"color": "red"}, content_settings=settings, tags={"a": "1"})
    copy = container().get_blob_client("copy")
    answer = copy.start_copy_from_url(original.url)
    assert answer["copy_status"] == "success"
    properties = copy.get_blob_properties()
    assert copy.download_blob().readall() == CONTENT
    assert properties.metadata == {"color": "red"}
    assert properties.content_settings.content_type == "text/plain"
    assert properties.content_settings.content_language == "de"
    assert properties.content_settings.content_md5 == original.get_blob_properties().content_settings.content_md5
    assert (properties.copy.id, properties.copy.progress) == (answer["copy_id"], f"{len(CONTENT)}/{len(CONTENT)}")
    assert properties.copy.source == original.url and properties.tag_count is None
    raises(ResourceExistsError, copy.abort_copy, answer["copy_id"], code="NoPendingCopyOperation")


def test_a_signature_opens_a_source_and_is_not_kept():
    original = source(tags={"a": "1"})
    copy = container().get_blob_client("copy")
    refused = raises(HttpResponseError, copy.start_copy_from_url, original.url, requires_sync=True)
    assert refused.status_code == 401, refused
    answer = copy.start_copy_from_url(signed(original), requires_sync=True)
    assert answer["copy_status"] == "success"
    assert copy.download_blob().readall() == CONTENT
    assert "sig=" not in copy.get_blob_properties().copy.source
    wrong = signed(original).replace("sig=", "sig=AA")
    assert raises(HttpResponseError, copy.start_copy_from_url, wrong).status_code == 403
    assert raises(HttpResponseError, copy.start_copy_from_url, signed(original, "w")).status_code == 403
    call = dict(requires_sync=True, tags="COPY")
    raises(HttpResponseError, copy.start_copy_from_url, signed(original), **call, code="CannotVerifyCopySource")
    copy.start_copy_from_url(signed(original, "rt"), **call)
    assert copy.get_blob_properties().tag_count == 1


def test_snapshots_and_versions_are_sources():
    original = source()
    snapshot = original.create_snapshot()
    original.upload_blob(b"later", overwrite=True)
    past = original.url + "?snapshot=" + snapshot["snapshot"]
    copy = container().get_blob_client("copy")
    copy.start_copy_from_url(past)
    assert copy.download_blob().readall() == CONTENT
    assert "snapshot=" in copy.get_blob_properties().copy.source
    original.start_copy_from_url(past)
    assert original.download_blob().readall() == CONTENT
    original.start_copy_from_url(original.url, standard_blob_tier=StandardBlobTier.COOL)
    assert original.get_blob_properties().blob_tier == "Cool"
    assert original.download_blob().readall() == CONTENT


def test_blobs_pages_blocks_and_appends_come_from_addresses():
    original = source()
    url = signed(original)
    place = container()
    blob = place.get_blob_client("blob")
    blob.upload_blob_from_url(url, metadata={"own": "1"})
    assert blob.download_blob().readall() == CONTENT
    assert blob.get_blob_properties().metadata == {"own": "1"}
    raises(ResourceExistsError, blob.upload_blob_from_url, url, code="BlobAlreadyExists")
    blocks = place.get_blob_client("blocks")
    blocks.stage_block_from_url("1", url, source_offset=256, source_length=512)
    blocks.stage_block_from_url("2", url)
    blocks.commit_block_list([BlobBlock("1"), BlobBlock("2")])
    assert blocks.download_blob().readall() == CONTENT[256:768] + CONTENT
    log = place.get_blob_client("log")
    log.create_append_blob()
    log.append_block_from_url(url, source_offset=1, source_length=3)
    log.append_block_from_url(url)
    assert log.download_blob().readall() == CONTENT[1:4] + CONTENT
    disk = place.get_blob_client("disk")
    disk.create_page_blob(4096)
    disk.upload_pages_from_url(url, offset=1024, length=2048, source_offset=256)
    assert disk.download_blob().readall() == bytes(1024) + CONTENT[256:2304] + bytes(1024)


def test_append_and_page_blobs_keep_their_kind():
    place = container()
    log = place.get_blob_client("log")
    log.create_append_blob()
    log.append_block(b"one")
    log.append_block(b"two")
    copy = place.get_blob_client("copied log")
    copy.start_copy_from_url(log.url)
    copy.append_block(b"three")
    assert copy.download_blob().readall() == b"onetwothree"
    disk = place.get_blob_client("disk")
    disk.create_page_blob(1 << 20, sequence_number=7)
    disk.upload_page(b"x" * 512, offset=512 << 10, length=512)
    copy = place.get_blob_client("copied disk")
    copy.start_copy_from_url(disk.url)
    assert finished(copy).status == "success"
    assert copy.download_blob().readall() == disk.download_blob().readall()
    properties = copy.get_blob_properties()
    assert (properties.blob_type, properties.page_blob_sequence_number) == ("PageBlob", 7)
    copy.upload_page(b"y" * 512, offset=0, length=512)
    raises(ResourceExistsError, log.start_copy_from_url, disk.url, code="InvalidBlobType")


def blocks_of(blob):
    return [(block.id, block.size) for block in blob.get_block_list("all")[0]]


def test_a_copy_has_the_blocks_of_its_source():
    for service in [SERVICE, OTHER]:
        original = container(service).get_blob_client("blocks")
        for number, part in [("1", CONTENT[:300]), ("2", b"x" * 70_000), ("3", CONTENT)]:
            original.stage_block(number, part)
        original.commit_block_list([BlobBlock("2"), BlobBlock("1"), BlobBlock("3"), BlobBlock("1")])
        place = container()
        late, now, put = (place.get_blob_client(name) for name in ["late", "now", "put"])
        late.start_copy_from_url(signed(original))
        assert finished(late).status == "success"
        now.start_copy_from_url(signed(original), requires_sync=True)
        for copy in [late, now]:
            assert blocks_of(copy) == blocks_of(original) and len(blocks_of(copy)) == 4
            assert copy.download_blob().readall() == original.download_blob().readall()
        put.upload_blob_from_url(signed(original))
        assert blocks_of(put) == []
        late.stage_block("4", b"more")
        late.commit_block_list([BlobBlock("1"), BlobBlock("4")])
        assert late.download_blob().readall() == CONTENT[:300] + b"more"
        assert now.download_blob().readall() == original.download_blob().readall()


def test_tags_of_another_server_come_along_if_they_may_be_read():
    original = source(OTHER, tags={"a": "1", "b c": "2"})
    copy = container().get_blob_client("copy")
    call = dict(requires_sync=True, tags="COPY")
    refused = raises(HttpResponseError, copy.start_copy_from_url, signed(original), **call)
    assert (refused.status_code, refused.error_code) == (403, "CannotVerifyCopySource"), refused
    copy.start_copy_from_url(signed(original, "rt"), **call)
    assert copy.get_blob_tags() == {"a": "1", "b c": "2"}


def test_a_copy_out_of_the_archive_is_on_its_way():
    original = source(standard_blob_tier=StandardBlobTier.ARCHIVE)
    copy = container().get_blob_client("copy")
    raises(HttpResponseError, copy.start_copy_from_url, original.url, code="CannotVerifyCopySource")
    options = dict(standard_blob_tier=StandardBlobTier.HOT, rehydrate_priority=RehydratePriority.high)
    copy.start_copy_from_url(original.url, **options)
    properties = copy.get_blob_properties()
    told = (properties.blob_tier, properties.archive_status, properties.rehydrate_priority)
    assert told == ("Archive", "rehydrate-pending-to-hot", "High"), told
    raises(ResourceExistsError, copy.download_blob, code="BlobArchived")
    for _ in range(600):
        if copy.get_blob_properties().blob_tier == "Hot":
            break
        time.sleep(0.1)
    assert copy.download_blob().readall() == CONTENT
    assert original.get_blob_properties().blob_tier == "Archive"


def incremental(original, copy, at_source=None):
    """Takes a snapshot of the source, has it copied, and gives the snapshot of the destination."""
    taken = original.create_snapshot()["snapshot"]
    url = f"{original.url}?snapshot={taken}" + (f"&{at_source}" if at_source else "")
    answer = copy.start_copy_from_url(url, incremental_copy=True)
    assert answer["copy_status"] == "pending" and answer["copy_id"]
    assert finished(copy).status == "success"
    properties = copy.get_blob_properties()
    assert properties.copy.incremental_copy
    return properties.copy.destination_snapshot


def snapshot_of(blob, snapshot):
    service = BlobServiceClient.from_connection_string(runner.connection_string())
    return service.get_blob_client(blob.container_name, blob.blob_name, snapshot=snapshot)


def test_a_disk_is_followed_by_incremental_copies():
    for service in [SERVICE, OTHER]:
        original = container(service).get_blob_client("disk")
        right = None if service is SERVICE else of_container(original)
        copy = container().get_blob_client("copy")
        original.create_page_blob(3 << 20, sequence_number=3)
        original.upload_page(b"a" * 4096, offset=0, length=4096)
        original.upload_page(b"b" * 1024, offset=2 << 20, length=1024)
        first_bytes = original.download_blob().readall()
        first = incremental(original, copy, right)
        original.clear_page(0, 1024)
        original.upload_page(b"c" * 512, offset=1 << 20, length=512)
        original.resize_blob(4 << 20)
        second = incremental(original, copy, right)
        assert snapshot_of(copy, first).download_blob().readall() == first_bytes
        assert snapshot_of(copy, second).download_blob().readall() == original.download_blob().readall()
        written, cleared = snapshot_of(copy, second).get_page_ranges(previous_snapshot_diff=first)
        assert cleared == [{"start": 0, "end": 1023}], cleared
        assert written == [{"start": 1 << 20, "end": (1 << 20) + 511}], written
        assert copy.get_blob_properties().page_blob_sequence_number == 3
        raises(HttpResponseError, copy.download_blob, code="OperationNotAllowedOnIncrementalCopyBlob")
        listed = [
            blob for blob in SERVICE.get_container_client(copy.container_name).list_blobs(include=["copy", "snapshots"])
            if blob.name == "copy"
        ]
        assert len(listed) == 3 and all(blob.copy.incremental_copy for blob in listed)
        copy.delete_blob(delete_snapshots="include")


def test_a_disk_is_followed_with_asyncio():
    async def all_of_it():
        original = container().get_blob_client("disk")
        original.create_page_blob(1024)
        taken = original.create_snapshot()["snapshot"]
        async with AsyncBlobServiceClient.from_connection_string(runner.connection_string()) as service:
            copy = service.get_blob_client(original.container_name, "copy")
            await copy.start_copy_from_url(f"{original.url}?snapshot={taken}", incremental_copy=True)
            for _ in range(600):
                properties = await copy.get_blob_properties()
                if properties.copy.status != "pending":
                    break
                await asyncio.sleep(0.05)
            assert properties.copy.status == "success" and properties.copy.destination_snapshot
            again = copy.start_copy_from_url(f"{original.url}?snapshot={taken}", incremental_copy=True)
            try:
                await again
            except ResourceExistsError as error:
                assert error.error_code == "IncrementalCopyOfEarlierSnapshotNotAllowed", error
            else:
                raise AssertionError("one snapshot was copied twice")

    asyncio.run(all_of_it())


def test_another_server_is_a_source():
    original = source(OTHER, metadata={"color": "red"})
    copy = container().get_blob_client("copy")
    answer = copy.start_copy_from_url(signed(original))
    assert answer["copy_status"] == "pending"
    copied = finished(copy)
    assert (copied.status, copied.progress) == ("success", f"{len(CONTENT)}/{len(CONTENT)}")
    assert copy.download_blob().readall() == CONTENT
    assert copy.get_blob_properties().metadata == {"color": "red"}
    for call in [copy.start_copy_from_url, copy.upload_blob_from_url]:
        options = {"requires_sync": True} if call == copy.start_copy_from_url else {"overwrite": True}
        call(signed(original), **options)
        assert copy.download_blob().readall() == CONTENT
    error = raises(HttpResponseError, copy.start_copy_from_url, original.url)
    assert error.status_code == 401 and error.error_code == "CannotVerifyCopySource", error
    missing = original.url.replace("source", "missing")
    raises(HttpResponseError, copy.start_copy_from_url, missing, code="CannotVerifyCopySource")
    etag = original.get_blob_properties().etag
    call = dict(source_etag=etag, source_match_condition=MatchConditions.IfModified)
    raises(HttpResponseError, copy.start_copy_from_url, signed(original), **call, code="SourceConditionNotMet")
    blocks = container().get_blob_client("blocks")
    blocks.stage_block_from_url("1", signed(original), source_offset=5, source_length=7)
    blocks.commit_block_list([BlobBlock("1")])
    assert blocks.download_blob().readall() == CONTENT[5:12]


def test_a_page_blob_of_another_server_is_copied_page_by_page():
    disk = container(OTHER).get_blob_client("disk")
    disk.create_page_blob(3 << 20, sequence_number=9)
    disk.upload_page(b"x" * 1024, offset=1 << 20, length=1024)
    copy = container().get_blob_client("copy")
    copy.start_copy_from_url(signed(disk))
    assert finished(copy).status == "success"
    assert copy.download_blob().readall() == disk.download_blob().readall()
    written = sum(page["end"] - page["start"] + 1 for page in copy.get_page_ranges()[0])
    assert 1024 <= written <= 64 << 10, "what is empty is not written"
    assert copy.get_blob_properties().page_blob_sequence_number == 9


def test_a_plain_web_server_is_a_source():
    web = Web(whole(CONTENT, Content_Type="image/png"))
    copy = container().get_blob_client("copy")
    copy.start_copy_from_url(web.url)
    assert finished(copy).status == "success"
    assert copy.download_blob().readall() == CONTENT
    assert copy.get_blob_properties().content_settings.content_type == "image/png"
    copy.upload_blob_from_url(web.url, overwrite=True, source_authorization="Bearer secret")
    assert web.asked[-1]["authorization"] == "Bearer secret"
    raises(HttpResponseError, copy.stage_block_from_url, "1", web.url, 0, 5, code="CannotVerifyCopySource")


def test_a_redirect_and_forbidden_addresses_are_no_sources():
    target = Web(whole(CONTENT))

    def elsewhere(handler):
        handler.send_response(302)
        handler.send_header("Location", target.url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    copy = container().get_blob_client("copy")
    raises(HttpResponseError, copy.start_copy_from_url, Web(elsewhere).url, code="CannotVerifyCopySource")
    assert target.asked == []
    for url in ["http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://0.0.0.0:1/"]:
        error = raises(HttpResponseError, copy.start_copy_from_url, url, code="CannotVerifyCopySource")
        assert "does not ask" in str(error), error
    raises(ResourceNotFoundError, copy.get_blob_properties)


def test_a_source_that_breaks_off_fails_the_copy():
    def half(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x" * 500)
        handler.wfile.flush()
        handler.connection.close()

    copy = container().get_blob_client("copy")
    copy.start_copy_from_url(Web(half).url)
    copied = finished(copy)
    assert (copied.status, copied.status_description[:3]) == ("failed", "409"), copied
    assert copy.get_blob_properties().size == 0
    raises(HttpResponseError, copy.upload_blob_from_url, Web(half).url, overwrite=True, code="CannotVerifyCopySource")
    copy.upload_blob(b"new", overwrite=True)


def test_a_copy_under_way_can_be_called_off_and_bars_other_writers():
    go_on = threading.Event()

    def slow(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(32 << 20))
        handler.end_headers()
        handler.wfile.write(bytes(1 << 20))
        handler.wfile.flush()
        go_on.wait(60)
        handler.wfile.write(bytes(31 << 20))

    copy = container().get_blob_client("copy")
    answer = copy.start_copy_from_url(Web(slow).url, metadata={"kept": "1"})
    assert answer["copy_status"] == "pending"
    raises(ResourceExistsError, copy.upload_blob, b"x", overwrite=True, code="PendingCopyOperation")
    wrong = "00000000-0000-0000-0000-000000000001"
    raises(ResourceExistsError, copy.abort_copy, wrong, code="CopyIdMismatch")
    copy.abort_copy(answer["copy_id"])
    go_on.set()
    properties = copy.get_blob_properties()
    assert (properties.copy.status, properties.size, properties.metadata) == ("aborted", 0, {"kept": "1"})
    copy.upload_blob(b"free again", overwrite=True)
    time.sleep(0.2)
    assert copy.download_blob().readall() == b"free again"


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
