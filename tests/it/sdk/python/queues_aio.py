"""Every queue and message operation, through the official Python client for asyncio."""

import asyncio
import sys

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue.aio import QueueServiceClient

import runner
from runner import unique


async def raises(kind, awaitable, code):
    try:
        await awaitable
    except kind as error:
        found = getattr(error, "error_code", None)
        found = getattr(found, "value", found)
        assert found == code, f"expected the code {code}, found {found}: {error}"
        return error
    raise AssertionError(f"expected {kind.__name__}, but the call succeeded")


def run(test):
    """A test of a coroutine: with a client of its own, closed at the end."""

    async def whole():
        async with QueueServiceClient.from_connection_string(runner.connection_string()) as service:
            await test(service)

    def started():
        asyncio.run(whole())

    return started


async def contents(pages):
    return [message.content async for message in pages]


@run
async def test_a_queue_is_created_listed_and_deleted(service):
    prefix = unique("list")
    names = [f"{prefix}-{number}" for number in range(5)]
    await asyncio.gather(*(service.create_queue(name, metadata={"name": name}) for name in names))
    await raises(ResourceExistsError, service.create_queue(names[0], metadata={"x": "y"}), "QueueAlreadyExists")
    pages = service.list_queues(prefix, include_metadata=True, results_per_page=2).by_page()
    found = [[item async for item in page] async for page in pages]
    assert [len(page) for page in found] == [2, 2, 1]
    assert [(item.name, item.metadata) for page in found for item in page] == [(name, {"name": name}) for name in names]
    for name in names:
        await service.delete_queue(name)
    await raises(ResourceNotFoundError, service.delete_queue(names[0]), "QueueNotFound")


@run
async def test_messages_sent_at_once_are_each_received_once(service):
    client = await service.create_queue(unique("q"))
    await asyncio.gather(*(client.send_message(f"message {number}") for number in range(100)))
    assert (await client.get_queue_properties()).approximate_message_count == 100

    async def take():
        taken = []
        while (message := await client.receive_message(visibility_timeout=60)) is not None:
            taken.append(message.content)
            await client.delete_message(message)
        return taken

    taken = [text for part in await asyncio.gather(*(take() for _ in range(8))) for text in part]
    assert sorted(taken) == sorted(f"message {number}" for number in range(100))
    assert (await client.get_queue_properties()).approximate_message_count == 0


@run
async def test_order_peeks_and_counts(service):
    client = await service.create_queue(unique("q"))
    for text in ("one", "two", "three"):
        await client.send_message(text)
    peeked = await client.peek_messages(max_messages=5)
    assert [(message.content, message.dequeue_count) for message in peeked] == [("one", 0), ("two", 0), ("three", 0)]
    assert not peeked[0].pop_receipt
    assert await contents(client.receive_messages(messages_per_page=2)) == ["one", "two", "three"]
    assert await client.receive_message() is None


@run
async def test_a_message_is_updated_and_comes_back(service):
    client = await service.create_queue(unique("q"))
    await client.send_message("draft", time_to_live=60)
    message = await client.receive_message(visibility_timeout=30)
    late = client.update_message(message, visibility_timeout=90)
    await raises(HttpResponseError, late, "InvalidQueryParameterValue")
    updated = await client.update_message(message, content="final", visibility_timeout=0)
    assert updated.pop_receipt != message.pop_receipt
    await raises(HttpResponseError, client.delete_message(message), "PopReceiptMismatch")
    again = await client.receive_message(visibility_timeout=1)
    assert (again.content, again.dequeue_count) == ("final", 2)
    assert await client.receive_message() is None
    await asyncio.sleep(1.5)
    third = await client.receive_message()
    assert third.dequeue_count == 3
    await client.delete_message(third)
    await raises(ResourceNotFoundError, client.delete_message(third), "MessageNotFound")


@run
async def test_messages_start_hidden_expire_or_stay_for_ever(service):
    client = await service.create_queue(unique("q"))
    await client.send_message("later", visibility_timeout=1)
    await client.send_message("short", time_to_live=1)
    forever = await client.send_message("forever", time_to_live=-1)
    assert forever.expires_on.year == 9999
    assert [message.content for message in await client.peek_messages(5)] == ["short", "forever"]
    await asyncio.sleep(1.5)
    assert [message.content for message in await client.peek_messages(5)] == ["later", "forever"]


@run
async def test_texts_come_back_as_they_were(service):
    client = await service.create_queue(unique("q"))
    texts = [" ", "  spaces  ", "<xml attr='1'>&amp;</xml>", "ümläut ✓ 😀", "line\nbreak\ttab\rreturn", "x" * 65_536]
    for text in texts:
        await client.send_message(text)
    assert await contents(client.receive_messages(messages_per_page=32)) == texts
    error = await raises(HttpResponseError, client.send_message("x" * 65_537), "MessageTooLarge")
    assert error.status_code == 400


@run
async def test_metadata_is_replaced_and_clearing_keeps_it(service):
    client = await service.create_queue(unique("q"), metadata={"one": "1"})
    await client.set_queue_metadata({"two": "2"})
    for number in range(40):
        await client.send_message(str(number))
    await client.receive_message()
    await client.clear_messages()
    properties = await client.get_queue_properties()
    assert (properties.metadata, properties.approximate_message_count) == ({"two": "2"}, 0)
    assert await client.peek_messages(32) == []


@run
async def test_a_missing_queue_is_said_to_be_missing(service):
    client = service.get_queue_client(unique("missing"))
    await raises(ResourceNotFoundError, client.send_message("x"), "QueueNotFound")
    await raises(ResourceNotFoundError, client.receive_message(), "QueueNotFound")
    await raises(ResourceNotFoundError, client.peek_messages(), "QueueNotFound")
    await raises(ResourceNotFoundError, client.clear_messages(), "QueueNotFound")
    await raises(ResourceNotFoundError, client.set_queue_metadata({"a": "1"}), "QueueNotFound")


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
