"""Every queue and message operation, through the official Python client."""

import sys
import time

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import BinaryBase64DecodePolicy, BinaryBase64EncodePolicy, QueueClient, QueueServiceClient

import runner
from runner import raises, unique

SERVICE = QueueServiceClient.from_connection_string(runner.connection_string())


def queue():
    return SERVICE.create_queue(unique("q"))


def test_a_queue_is_created_listed_and_deleted():
    prefix = unique("list")
    names = [f"{prefix}-{number}" for number in range(5)]
    for name in names:
        SERVICE.create_queue(name, metadata={"name": name})
    # The service answers 204 when the metadata is the same; this client reports both cases as an error.
    raises(ResourceExistsError, SERVICE.create_queue, names[0], metadata={"name": names[0]})
    raises(ResourceExistsError, SERVICE.create_queue, names[0], metadata={"x": "y"}, code="QueueAlreadyExists")
    pages = SERVICE.list_queues(prefix, include_metadata=True, results_per_page=2).by_page()
    pages = [list(page) for page in pages]
    assert [len(page) for page in pages] == [2, 2, 1], pages
    found = [item for page in pages for item in page]
    assert [item.name for item in found] == names
    assert all(item.metadata == {"name": item.name} for item in found)
    for name in names:
        SERVICE.delete_queue(name)
    raises(ResourceNotFoundError, SERVICE.delete_queue, names[0], code="QueueNotFound")
    assert list(SERVICE.list_queues(prefix)) == []


def test_metadata_and_count_are_properties():
    client = queue()
    client.set_queue_metadata({"one": "1"})
    client.set_queue_metadata({"two": "2"})
    for number in range(3):
        client.send_message(str(number))
    client.receive_message()
    properties = client.get_queue_properties()
    assert properties.metadata == {"two": "2"}
    assert properties.approximate_message_count == 3


def test_messages_come_in_order_and_only_once_at_a_time():
    client = queue()
    sent = [client.send_message(f"message {number}") for number in range(5)]
    first = list(client.receive_messages(messages_per_page=3, max_messages=3))
    assert [message.content for message in first] == ["message 0", "message 1", "message 2"]
    assert [message.id for message in first] == [message.id for message in sent[:3]]
    assert all(message.dequeue_count == 1 for message in first)
    rest = list(client.receive_messages())
    assert [message.content for message in rest] == ["message 3", "message 4"]
    assert client.receive_message() is None
    for message in first + rest:
        client.delete_message(message)
    assert client.get_queue_properties().approximate_message_count == 0


def test_a_peek_changes_nothing():
    client = queue()
    client.send_message("seen")
    for _ in range(2):
        peeked = client.peek_messages(max_messages=5)
        assert [message.content for message in peeked] == ["seen"]
        assert peeked[0].dequeue_count == 0 and not peeked[0].pop_receipt
    assert client.receive_message().dequeue_count == 1


def test_an_unacknowledged_message_comes_back():
    client = queue()
    client.send_message("again")
    first = client.receive_message(visibility_timeout=1)
    assert client.receive_message() is None
    time.sleep(1.5)
    second = client.receive_message()
    assert second.id == first.id and second.dequeue_count == 2
    raises(HttpResponseError, client.delete_message, first, code="PopReceiptMismatch")
    client.delete_message(second)
    raises(ResourceNotFoundError, client.delete_message, second, code="MessageNotFound")


def test_an_update_changes_text_receipt_and_visibility():
    client = queue()
    client.send_message("draft")
    message = client.receive_message(visibility_timeout=30)
    updated = client.update_message(message, content="final", visibility_timeout=0)
    raises(HttpResponseError, client.update_message, message, visibility_timeout=0, code="PopReceiptMismatch")
    assert updated.pop_receipt != message.pop_receipt
    again = client.receive_message()
    assert again.content == "final" and again.dequeue_count == 2
    kept = client.update_message(again, visibility_timeout=0)
    assert client.peek_messages()[0].content == "final"
    client.delete_message(again.id, kept.pop_receipt)
    assert client.get_queue_properties().approximate_message_count == 0


def test_a_message_may_start_invisible_and_expire():
    client = queue()
    client.send_message("later", visibility_timeout=2)
    client.send_message("short", time_to_live=1)
    forever = client.send_message("forever", time_to_live=-1)
    assert forever.expires_on.year == 9999
    assert [message.content for message in client.peek_messages(max_messages=5)] == ["short", "forever"]
    time.sleep(2.5)
    assert sorted(message.content for message in client.peek_messages(max_messages=5)) == ["forever", "later"]


def test_text_survives_as_it_is():
    client = queue()
    texts = ["", "  spaces  ", "<xml attr='1'>&amp;</xml>", "ümläut ✓ 😀", "line\nbreak\ttab", "x" * 65_536]
    for text in texts:
        client.send_message(text)
    found = [message.content or "" for message in client.receive_messages(messages_per_page=32)]
    assert found == texts, [text[:40] for text in found]


def test_a_message_that_is_too_long_is_refused():
    error = raises(HttpResponseError, queue().send_message, "x" * 65_537)
    assert error.status_code in (400, 413), error.status_code


def test_base64_is_the_client_s_business():
    name = queue().queue_name
    client = QueueClient.from_connection_string(
        runner.connection_string(),
        name,
        message_encode_policy=BinaryBase64EncodePolicy(),
        message_decode_policy=BinaryBase64DecodePolicy(),
    )
    client.send_message(bytes(range(256)))
    assert client.receive_message().content == bytes(range(256))


def test_clear_empties_the_queue():
    client = queue()
    for number in range(40):
        client.send_message(str(number))
    client.receive_message()
    client.clear_messages()
    assert client.peek_messages(max_messages=32) == []
    assert client.get_queue_properties().approximate_message_count == 0
    client.send_message("after")
    assert client.receive_message().content == "after"


def test_more_than_one_page_is_received_page_by_page():
    client = queue()
    for number in range(50):
        client.send_message(str(number))
    found = [message.content for page in client.receive_messages(messages_per_page=20).by_page() for message in page]
    assert found == [str(number) for number in range(50)]


def test_wrong_parameters_are_refused():
    client = queue()
    raises(HttpResponseError, client.send_message, "x", visibility_timeout=604_801)
    raises(HttpResponseError, client.send_message, "x", visibility_timeout=10, time_to_live=5)
    missing = SERVICE.get_queue_client(unique("missing"))
    raises(ResourceNotFoundError, missing.send_message, "x", code="QueueNotFound")
    raises(ResourceNotFoundError, missing.receive_message, code="QueueNotFound")
    raises(ResourceNotFoundError, missing.clear_messages, code="QueueNotFound")
    raises(ResourceNotFoundError, missing.get_queue_properties)
    error = raises(HttpResponseError, SERVICE.create_queue, "Not--A-Name")
    assert error.status_code == 400


def test_an_update_cannot_hide_a_message_beyond_its_expiry():
    client = queue()
    client.send_message("short", time_to_live=60)
    message = client.receive_message(visibility_timeout=10)
    raises(
        HttpResponseError, client.update_message, message, visibility_timeout=120, code="InvalidQueryParameterValue"
    )
    client.update_message(message, visibility_timeout=30)


def test_the_receipt_of_the_sending_is_good_until_another_is_given():
    client = queue()
    sent = client.send_message("mine")
    assert sent.inserted_on < sent.expires_on and sent.next_visible_on == sent.inserted_on
    received = client.receive_message()
    assert received.pop_receipt != sent.pop_receipt and received.id == sent.id
    raises(HttpResponseError, client.delete_message, sent.id, sent.pop_receipt, code="PopReceiptMismatch")
    client.delete_message(received)
    other = client.send_message("taken back")
    client.delete_message(other.id, other.pop_receipt)
    raises(ResourceNotFoundError, client.update_message, other, visibility_timeout=0, code="MessageNotFound")


def test_every_get_and_update_makes_a_new_receipt_and_only_gets_count():
    client = queue()
    client.send_message("m")
    receipts, seen = set(), 0
    for _ in range(3):
        message = client.receive_message(visibility_timeout=30)
        seen += 1
        assert message.dequeue_count == seen
        receipts.add(message.pop_receipt)
        receipts.add(client.update_message(message, visibility_timeout=0).pop_receipt)
    assert len(receipts) == 6
    assert client.peek_messages()[0].dequeue_count == 3


def test_a_message_made_visible_again_takes_its_place_in_the_order():
    client = queue()
    for text in ("one", "two", "three"):
        client.send_message(text)
    first = client.receive_message()
    client.update_message(first, visibility_timeout=0)
    found = list(client.receive_messages(messages_per_page=3, max_messages=3))
    assert [message.content for message in found] == ["one", "two", "three"]


def test_a_queue_made_again_is_empty():
    client = queue()
    client.send_message("old")
    client.delete_queue()
    client.create_queue(metadata={"second": "yes"})
    assert client.receive_message() is None
    assert client.get_queue_properties().metadata == {"second": "yes"}


def test_names_have_rules():
    for name in ("ab", "a" * 64, "-abc", "abc-", "a--b", "a_b", "a.b"):
        code = "InvalidResourceName" if 3 <= len(name) <= 63 else "OutOfRangeInput"
        error = raises(HttpResponseError, SERVICE.create_queue, name, code=code)
        assert error.status_code == 400
    for name in (unique("a-b-c"), unique("0")):
        SERVICE.create_queue(name)
        SERVICE.delete_queue(name)


def test_metadata_has_rules():
    client = queue()
    raises(HttpResponseError, client.set_queue_metadata, {"a-b": "1"}, code="InvalidMetadata")
    raises(HttpResponseError, client.set_queue_metadata, {"a": "v" * 8192}, code="MetadataTooLarge")
    client.set_queue_metadata({"snow": "white", "empty": ""})
    assert client.get_queue_properties().metadata["snow"] == "white"
    client.set_queue_metadata({})
    assert client.get_queue_properties().metadata == {}


def test_names_of_metadata_keep_their_case():
    metadata = {"Category": "test", "docTypeID": "A", "plain": "b"}
    name = unique("case")
    client = SERVICE.create_queue(name, metadata=metadata)
    assert client.get_queue_properties().metadata == metadata
    assert [item.metadata for item in SERVICE.list_queues(name, include_metadata=True)] == [metadata]
    client.set_queue_metadata({"Other": "1"})
    assert client.get_queue_properties().metadata == {"Other": "1"}


def test_numbers_out_of_range_are_refused():
    client = queue()
    refused = "OutOfRangeQueryParameterValue"
    raises(HttpResponseError, client.receive_message, visibility_timeout=604_801, code=refused)
    raises(HttpResponseError, client.send_message, "x", time_to_live=0, code=refused)
    raises(HttpResponseError, client.send_message, "x", time_to_live=-2, code=refused)
    client.send_message("x", time_to_live=10_000_000)
    message = client.receive_message(visibility_timeout=604_800)
    raises(HttpResponseError, client.update_message, message, visibility_timeout=604_801, code=refused)


def test_characters_that_xml_cannot_hold_are_refused():
    client = queue()
    raises(HttpResponseError, client.send_message, "a\x01b", code="InvalidXmlDocument")
    client.send_message("carriage\rreturn")
    client.send_message(" ")
    assert [message.content for message in client.peek_messages(2)] == ["carriage\rreturn", " "]


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
