"""Append blobs and page blobs through the official Python client, with their bytes compared."""

import os
import sys
import threading

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, BlobType, ContentSettings, PremiumPageBlobTier

import runner
from runner import raises, unique

SERVICE = BlobServiceClient.from_connection_string(runner.connection_string())
PAGE = 512


def blob():
    return SERVICE.create_container(unique("c")).get_blob_client("blob")


def appendable(**named):
    client = blob()
    client.create_append_blob(**named)
    return client


def disk(pages, **named):
    client = blob()
    client.create_page_blob(pages * PAGE, **named)
    return client


def ranges(pages):
    return [(found.start, found.end, found.cleared) for found in pages]


def test_blocks_are_appended_in_order():
    client = appendable(content_settings=ContentSettings(content_type="text/plain"), metadata={"k": "v"})
    expected = b""
    for number in range(20):
        part = os.urandom(1 + number * 3001)
        told = client.append_block(part, validate_content=number % 2 == 0)
        assert told["blob_append_offset"] == str(len(expected)), told
        assert told["blob_committed_block_count"] == number + 1
        expected += part
    assert client.download_blob().readall() == expected
    assert client.download_blob(offset=len(expected) - 10, length=10).readall() == expected[-10:]
    properties = client.get_blob_properties()
    assert properties.blob_type == BlobType.APPENDBLOB
    assert properties.append_blob_committed_block_count == 20
    assert properties.size == len(expected)
    assert properties.content_settings.content_type == "text/plain" and properties.metadata == {"k": "v"}


def test_a_large_upload_is_appended_block_by_block():
    content = os.urandom((9 << 20) + 77)
    client = blob()
    client.upload_blob(content, blob_type=BlobType.APPENDBLOB)
    client.upload_blob(b"more", blob_type=BlobType.APPENDBLOB)
    assert client.download_blob().readall() == content + b"more"
    block = os.urandom(20 << 20)
    assert client.append_block(block)["blob_append_offset"] == str(len(content) + 4)
    assert client.download_blob(offset=len(content) + 4).readall() == block


def test_appends_of_many_writers_are_all_there():
    client = appendable()
    lines = [f"{writer}:{number:03};".encode() for writer in range(4) for number in range(25)]

    def write(own):
        for line in own:
            client.append_block(line)

    threads = [threading.Thread(target=write, args=(lines[first::4],)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = client.download_blob().readall().split(b";")[:-1]
    assert sorted(found) == sorted(line[:-1] for line in lines)
    assert client.get_blob_properties().append_blob_committed_block_count == len(lines)


def test_append_conditions_are_obeyed():
    client = appendable()
    client.append_block(b"123", appendpos_condition=0, maxsize_condition=3)
    raises(ResourceModifiedError, client.append_block, b"4", appendpos_condition=0, code="AppendPositionConditionNotMet")
    raises(ResourceModifiedError, client.append_block, b"45", maxsize_condition=4, code="MaxBlobSizeConditionNotMet")
    etag = client.get_blob_properties().etag
    client.append_block(b"4", etag=etag, match_condition=MatchConditions.IfNotModified)
    raises(
        ResourceModifiedError, client.append_block, b"5",
        etag=etag, match_condition=MatchConditions.IfNotModified, code="ConditionNotMet",
    )
    assert client.download_blob().readall() == b"1234"


def test_a_sealed_blob_takes_no_more():
    client = appendable()
    client.append_block(b"all")
    raises(ResourceModifiedError, client.seal_append_blob, appendpos_condition=1, code="AppendPositionConditionNotMet")
    assert client.seal_append_blob(appendpos_condition=3)["blob_sealed"]
    assert client.seal_append_blob()["blob_sealed"]
    raises(ResourceExistsError, client.append_block, b"more", code="BlobIsSealed")
    assert client.get_blob_properties().is_append_blob_sealed
    assert client.download_blob().readall() == b"all"
    client.set_blob_metadata({"k": "v"})
    client.create_append_blob()
    client.append_block(b"new")
    assert client.download_blob().readall() == b"new"


def test_each_kind_has_its_own_operations():
    appended, paged = appendable(), disk(1)
    raises(ResourceExistsError, appended.upload_page, b"x" * PAGE, 0, PAGE, code="InvalidBlobType")
    raises(ResourceExistsError, appended.stage_block, "AAAA", b"x", code="InvalidBlobType")
    raises(ResourceExistsError, appended.get_page_ranges, code="InvalidBlobType")
    raises(ResourceExistsError, appended.resize_blob, PAGE, code="InvalidBlobType")
    raises(ResourceExistsError, paged.append_block, b"x", code="InvalidBlobType")
    raises(ResourceExistsError, paged.stage_block, "AAAA", b"x", code="InvalidBlobType")
    raises(ResourceExistsError, paged.get_block_list, code="InvalidBlobType")
    raises(ResourceNotFoundError, blob().append_block, b"x", code="BlobNotFound")


def test_pages_are_written_and_cleared_anywhere():
    client = disk(64, content_settings=ContentSettings(content_type="a/b"), sequence_number=3)
    model = bytearray(64 * PAGE)
    for first, count in [(0, 1), (5, 3), (6, 4), (62, 2), (20, 10)]:
        content = os.urandom(count * PAGE)
        told = client.upload_page(content, first * PAGE, count * PAGE, validate_content=count % 2 == 0)
        assert told["blob_sequence_number"] == 3, told
        model[first * PAGE:(first + count) * PAGE] = content
    for first, count in [(7, 1), (22, 4), (60, 4)]:
        client.clear_page(first * PAGE, count * PAGE)
        model[first * PAGE:(first + count) * PAGE] = bytes(count * PAGE)
    assert client.download_blob().readall() == model
    for offset, length in [(0, 1), (3000, 777), (511, 2), (64 * PAGE - 1, 1)]:
        assert client.download_blob(offset=offset, length=length).readall() == model[offset:offset + length]
    expected = [(0, 1), (5, 2), (8, 2), (20, 2), (26, 4)]
    expected = [(first * PAGE, (first + count) * PAGE - 1, False) for first, count in expected]
    assert ranges(client.list_page_ranges()) == expected
    assert ranges(client.list_page_ranges(results_per_page=2)) == expected
    pages = list(client.list_page_ranges(results_per_page=2).by_page())
    assert [len(list(page)) for page in pages] == [2, 2, 1]
    inside = ranges(client.list_page_ranges(offset=6 * PAGE, length=20 * PAGE))
    assert inside == [(6 * PAGE, 7 * PAGE - 1, False), (8 * PAGE, 10 * PAGE - 1, False), (20 * PAGE, 22 * PAGE - 1, False)]
    properties = client.get_blob_properties()
    assert properties.blob_type == BlobType.PAGEBLOB and properties.page_blob_sequence_number == 3
    assert properties.size == 64 * PAGE and properties.content_settings.content_type == "a/b"


def test_a_file_becomes_a_page_blob():
    content = os.urandom(5 << 20) + bytes(8 << 20) + os.urandom(1 << 20)
    client = blob()
    client.upload_blob(content, blob_type=BlobType.PAGEBLOB)
    assert client.download_blob().readall() == content
    covered = ranges(client.list_page_ranges())
    # The client leaves pieces of zeros out.
    assert covered[0][0] == 0 and covered[-1][1] == len(content) - 1
    assert sum(end + 1 - start for start, end, _ in covered) < len(content)


def test_ranges_that_are_no_pages_are_refused():
    client = disk(4)
    page = b"x" * PAGE
    raises(HttpResponseError, client.upload_page, page, 4 * PAGE, PAGE, code="InvalidPageRange")
    raises(HttpResponseError, client.upload_page, page * 2, 3 * PAGE, 2 * PAGE, code="InvalidPageRange")
    raises(HttpResponseError, client.clear_page, 0, 5 * PAGE, code="InvalidPageRange")
    raises(HttpResponseError, client.upload_page, page, 0, 2 * PAGE, code="InvalidPageRange")
    assert ranges(client.list_page_ranges()) == []
    assert client.download_blob().readall() == bytes(4 * PAGE)


def test_sequence_numbers_guard_writes():
    client = disk(1, sequence_number=5)
    page = b"a" * PAGE
    for refused in [{"if_sequence_number_lte": 4}, {"if_sequence_number_lt": 5}, {"if_sequence_number_eq": 6}]:
        raises(ResourceModifiedError, client.upload_page, page, 0, PAGE, code="SequenceNumberConditionNotMet", **refused)
        raises(ResourceModifiedError, client.clear_page, 0, PAGE, code="SequenceNumberConditionNotMet", **refused)
    client.upload_page(page, 0, PAGE, if_sequence_number_lte=5, if_sequence_number_lt=6, if_sequence_number_eq=5)
    assert client.set_sequence_number("max", "9")["blob_sequence_number"] == 9
    assert client.set_sequence_number("max", "1")["blob_sequence_number"] == 9
    assert client.set_sequence_number("update", "2")["blob_sequence_number"] == 2
    assert client.set_sequence_number("increment")["blob_sequence_number"] == 3
    assert client.download_blob().readall() == page


def test_a_blob_that_is_cut_and_grown_has_zeros_at_its_end():
    client = disk(8)
    content = os.urandom(8 * PAGE)
    client.upload_page(content, 0, len(content))
    client.resize_blob(3 * PAGE)
    assert client.download_blob().readall() == content[:3 * PAGE]
    client.resize_blob(8 * PAGE)
    assert client.download_blob().readall() == content[:3 * PAGE] + bytes(5 * PAGE)
    assert ranges(client.list_page_ranges()) == [(0, 3 * PAGE - 1, False)]
    client.resize_blob(1 << 40)
    client.upload_page(content[:PAGE], (1 << 40) - PAGE, PAGE)
    assert client.download_blob(offset=(1 << 40) - 2 * PAGE, length=2 * PAGE).readall() == bytes(PAGE) + content[:PAGE]
    raises(HttpResponseError, client.resize_blob, 100, code="InvalidHeaderValue")


def test_tiers_have_room_for_so_much():
    client = disk(8, premium_page_blob_tier=PremiumPageBlobTier.P4)
    assert client.get_blob_properties().blob_tier == "P4"
    raises(ResourceExistsError, client.resize_blob, 64 << 30, code="BlobTierInadequateForContentLength")
    raises(
        ResourceExistsError, blob().create_page_blob, 64 << 30,
        premium_page_blob_tier=PremiumPageBlobTier.P4, code="BlobTierInadequateForContentLength",
    )


def test_a_snapshot_keeps_its_pages_and_tells_what_has_changed():
    client = disk(64)
    first = os.urandom(8 * PAGE)
    client.upload_page(first, 0, len(first))
    one = client.create_snapshot()["snapshot"]
    second = os.urandom(2 * PAGE)
    client.upload_page(second, 4 * PAGE, len(second))
    client.upload_page(second, 40 * PAGE, len(second))
    client.clear_page(0, PAGE)
    two = client.create_snapshot()["snapshot"]
    client.clear_page(40 * PAGE, PAGE)

    old = SERVICE.get_blob_client(client.container_name, client.blob_name, snapshot=one)
    assert old.download_blob().readall() == first + bytes(56 * PAGE)
    assert ranges(old.list_page_ranges()) == [(0, 8 * PAGE - 1, False)]
    changed = [(0, PAGE - 1, True), (4 * PAGE, 6 * PAGE - 1, False), (41 * PAGE, 42 * PAGE - 1, False)]
    assert ranges(client.list_page_ranges(previous_snapshot=one)) == changed
    assert ranges(client.list_page_ranges(previous_snapshot=one, results_per_page=1)) == changed
    assert ranges(client.list_page_ranges(previous_snapshot=two)) == [(40 * PAGE, 41 * PAGE - 1, True)]
    newer = SERVICE.get_blob_client(client.container_name, client.blob_name, snapshot=two)
    between = [(0, PAGE - 1, True), (4 * PAGE, 6 * PAGE - 1, False), (40 * PAGE, 42 * PAGE - 1, False)]
    assert ranges(newer.list_page_ranges(previous_snapshot=one)) == between
    written, cleared = client.get_page_range_diff_for_managed_disk(old.url)
    assert [(found["start"], found["end"]) for found in cleared] == [(0, PAGE - 1)]
    assert [found["start"] for found in written] == [4 * PAGE, 41 * PAGE]

    raises(HttpResponseError, lambda: list(old.list_page_ranges(previous_snapshot=two)), code="PreviousSnapshotCannotBeNewer")
    unknown = "2020-01-02T03:04:05.1234567Z"
    raises(HttpResponseError, lambda: list(client.list_page_ranges(previous_snapshot=unknown)), code="PreviousSnapshotNotFound")
    client.create_page_blob(64 * PAGE)
    raises(HttpResponseError, lambda: list(client.list_page_ranges(previous_snapshot=one)), code="BlobOverwritten")
    assert old.download_blob().readall() == first + bytes(56 * PAGE)


def test_an_append_blob_keeps_what_it_was_in_a_snapshot():
    client = appendable()
    client.append_block(b"one")
    snapshot = client.create_snapshot()["snapshot"]
    client.append_block(b"two")
    old = SERVICE.get_blob_client(client.container_name, client.blob_name, snapshot=snapshot)
    assert old.download_blob().readall() == b"one"
    assert client.download_blob().readall() == b"onetwo"


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
