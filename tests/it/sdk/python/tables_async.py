"""Every table and entity operation, through the official Python client's asynchronous half."""

import asyncio
import functools
import sys
from datetime import datetime, timezone
from uuid import UUID

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import EdmType, EntityProperty, TableTransactionError, UpdateMode
from azure.data.tables.aio import TableServiceClient

import runner
from runner import unique


def asynchronous(test):
    """A test with a service client of its own, whose connections live as long as its event loop."""

    @functools.wraps(test)
    def run():
        async def whole():
            async with TableServiceClient.from_connection_string(runner.connection_string()) as service:
                await test(service)

        asyncio.run(whole())

    return run


async def table(service):
    return await service.create_table(unique("t"))


def entity(partition, row, **properties):
    return {"PartitionKey": partition, "RowKey": row, **properties}


async def fails(kind, awaitable, code=None, status=None):
    """Awaits what must fail with this kind of exception, this error code and this status."""
    try:
        await awaitable
    except kind as error:
        if code is not None:
            found = getattr(error, "error_code", None)
            found = getattr(found, "value", found)
            right = found == code if found is not None else f'"{code}"' in str(error)
            assert right, f"expected the code {code}, found {found}: {error}"
        assert status is None or error.status_code == status, (status, error.status_code)
        return error
    raise AssertionError(f"expected {kind.__name__}, but the call succeeded")


async def listed(items):
    return [item async for item in items]


async def page_sizes(pager):
    sizes = []
    async for page in pager:
        sizes.append(len([item async for item in page]))
    return sizes


@asynchronous
async def test_tables_come_and_go(service):
    prefix = unique("list")
    names = [f"{prefix}x{number}" for number in range(5)]
    await asyncio.gather(*(service.create_table(name) for name in names))
    await fails(ResourceExistsError, service.create_table(names[0]), "TableAlreadyExists", 409)
    await fails(ResourceExistsError, service.create_table(names[0].upper()), "TableAlreadyExists", 409)
    again = await service.create_table_if_not_exists(names[1])
    assert again.table_name == names[1]
    between = f"TableName ge '{prefix}' and TableName lt '{prefix}y'"
    found = await listed(service.query_tables(between, results_per_page=2))
    assert [item.name for item in found] == names
    assert await page_sizes(service.query_tables(between, results_per_page=2).by_page()) == [2, 2, 1]
    await asyncio.gather(*(service.delete_table(name) for name in names))
    assert await listed(service.query_tables(between)) == []
    # The client takes a table that is not there for deleted.
    await service.delete_table(names[0])


@asynchronous
async def test_names_that_are_none_are_refused(service):
    for bad in ("ab", "a" * 64, "1abc", "a-b-c", "a_b_c", "tables"):
        try:
            await service.create_table(bad)
        except ValueError as error:
            assert "alphanumeric" in str(error), bad
        except HttpResponseError as error:
            assert bad == "tables" and error.status_code == 400, (bad, error)
        else:
            raise AssertionError(f"{bad} was created")


@asynchronous
async def test_every_type_comes_back_as_it_was(service):
    client = await table(service)
    moment = datetime(2021, 2, 3, 4, 5, 6, 789_000, tzinfo=timezone.utc)
    sent = entity(
        "p",
        "r",
        text="ümläut 'quoted' \"double\" \\ / ✓ 😀\r\n\t\u0001",
        small=-(2**31),
        large=EntityProperty(-(2**63), EdmType.INT64),
        ratio=2.5,
        whole=3.0,
        yes=True,
        moment=moment,
        identity=UUID("c9da6455-213d-42c9-9a79-3e9149a57833"),
        binary=bytes(range(256)),
    )
    await client.create_entity(sent)
    found = await client.get_entity("p", "r")
    assert found["text"] == sent["text"]
    assert found["small"] == -(2**31) and isinstance(found["small"], int)
    assert found["large"].value == -(2**63) and found["large"].edm_type == EdmType.INT64
    assert found["ratio"] == 2.5 and found["whole"] == 3.0 and isinstance(found["whole"], float)
    assert found["yes"] is True
    assert found["moment"] == moment
    assert found["identity"] == sent["identity"]
    assert found["binary"] == sent["binary"]
    assert set(found) == set(sent)
    # Without metadata only what JSON tells apart is told apart, and the client says so by giving text.
    plain = await client.get_entity("p", "r", headers={"accept": "application/json;odata=nometadata"})
    assert plain["large"] == str(-(2**63)) and plain["whole"] == 3.0 and isinstance(plain["whole"], float)


@asynchronous
async def test_each_way_to_write_obeys_conditions(service):
    client = await table(service)
    first = (await client.create_entity(entity("p", "r", a=1, b=1)))["etag"]
    await fails(ResourceExistsError, client.create_entity(entity("p", "r")), "EntityAlreadyExists", 409)
    only_first = {"etag": first, "match_condition": MatchConditions.IfNotModified}
    second = (await client.update_entity(entity("p", "r", a=2), **only_first))["etag"]
    assert second > first
    assert dict(await client.get_entity("p", "r")) == entity("p", "r", a=2, b=1)
    for mode in (UpdateMode.MERGE, UpdateMode.REPLACE):
        writing = client.update_entity(entity("p", "r", a=9), mode=mode, **only_first)
        await fails(ResourceModifiedError, writing, "UpdateConditionNotSatisfied", 412)
        writing = client.update_entity(entity("p", "none", a=9), mode=mode)
        await fails(ResourceNotFoundError, writing, "ResourceNotFound", 404)
    await client.update_entity(entity("p", "r", c=3), mode=UpdateMode.REPLACE)
    assert dict(await client.get_entity("p", "r")) == entity("p", "r", c=3)
    await client.upsert_entity(entity("p", "r", d=4), mode=UpdateMode.MERGE)
    await client.upsert_entity(entity("p", "s", d=4), mode=UpdateMode.MERGE)
    assert dict(await client.get_entity("p", "r")) == entity("p", "r", c=3, d=4)
    await client.upsert_entity(entity("p", "r", e=5), mode=UpdateMode.REPLACE)
    assert dict(await client.get_entity("p", "r")) == entity("p", "r", e=5)
    deleting = client.delete_entity("p", "r", **only_first)
    await fails(ResourceModifiedError, deleting, "UpdateConditionNotSatisfied", 412)
    current = (await client.get_entity("p", "r")).metadata["etag"]
    await client.delete_entity("p", "r", etag=current, match_condition=MatchConditions.IfNotModified)
    await fails(ResourceNotFoundError, client.get_entity("p", "r"), "ResourceNotFound", 404)
    # This one too counts as deleted for the client.
    await client.delete_entity("p", "r")


@asynchronous
async def test_of_many_writers_with_one_tag_one_wins(service):
    client = await table(service)
    tag = (await client.create_entity(entity("p", "r", winner=-1)))["etag"]

    async def write(number):
        try:
            await client.update_entity(
                entity("p", "r", winner=number), etag=tag, match_condition=MatchConditions.IfNotModified
            )
            return number
        except ResourceModifiedError:
            return None

    winners = [number for number in await asyncio.gather(*(write(n) for n in range(20))) if number is not None]
    assert len(winners) == 1, winners
    assert (await client.get_entity("p", "r"))["winner"] == winners[0]


@asynchronous
async def test_writers_side_by_side_lose_nothing(service):
    client = await table(service)
    await asyncio.gather(*(client.upsert_entity(entity("p", "r", **{f"n{n}": n})) for n in range(40)))
    found = await client.get_entity("p", "r")
    assert dict(found) == entity("p", "r", **{f"n{n}": n for n in range(40)})


@asynchronous
async def test_queries_filter_select_and_page(service):
    client = await table(service)
    for partition in "ab":
        rows = [entity(partition, f"{number:03}", number=number, half=number / 2) for number in range(100)]
        await client.submit_transaction([("create", row) for row in rows])

    async def rows(text, **options):
        return [item["RowKey"] for item in await listed(client.query_entities(text, **options))]

    assert await rows("PartitionKey eq 'b' and number ge 98") == ["098", "099"]
    assert await rows("PartitionKey eq 'a' and RowKey gt '097'") == ["098", "099"]
    assert await rows("half eq 1.5 and PartitionKey eq @p", parameters={"p": "a"}) == ["003"]
    assert await rows("number eq 5 or number eq 6L") == ["005", "006", "005", "006"]
    assert await rows("not (number ge 1)") == ["000", "000"]
    assert await rows("number eq '5'") == []
    assert await rows("missing ne 5") == []
    assert len(await rows("")) == 200
    assert await page_sizes(client.list_entities(results_per_page=60).by_page()) == [60, 60, 60, 20]
    pager = client.query_entities("number lt 10", results_per_page=3).by_page()
    first = [item["number"] async for item in await anext(pager)]
    token = pager.continuation_token
    rest = client.query_entities("number lt 10", results_per_page=100).by_page(token)
    rest = [item["number"] async for page in rest async for item in page]
    assert first + rest == list(range(10)) * 2
    narrow = await listed(client.query_entities("RowKey eq '007'", select=["number", "none"]))
    assert [dict(item) for item in narrow] == [{"number": 7, "none": None}] * 2, narrow
    for bad in ("number eq", "(number eq 1", "number = 1", "number eq 1 and"):
        await fails(HttpResponseError, rows(bad), "InvalidInput", 400)
    await fails(HttpResponseError, rows("number eq 1", results_per_page=1001), "InvalidInput", 400)


@asynchronous
async def test_transactions_are_whole(service):
    client = await table(service)
    await client.create_entity(entity("p", "there", a=1))
    answers = await client.submit_transaction([("upsert", entity("p", f"{n:03}", n=n)) for n in range(100)])
    assert len(answers) == 100 and all(answer["etag"].startswith("W/") for answer in answers)
    cases = [
        ([("create", entity("p", "x")), ("create", entity("p", "there"))], "EntityAlreadyExists", 1, 409),
        ([("update", entity("p", "none")), ("create", entity("p", "x"))], "ResourceNotFound", 0, 404),
        ([("upsert", entity("p", "x")), ("delete", entity("p", "none"))], "ResourceNotFound", 1, 404),
        ([("upsert", entity("p", "x")), ("upsert", entity("p", "x"))], "InvalidDuplicateRow", 1, 400),
        ([("upsert", entity("p", f"x{n}")) for n in range(101)], "InvalidInput", 99, 400),
    ]
    for operations, code, index, status in cases:
        error = await fails(TableTransactionError, client.submit_transaction(operations), code, status)
        assert error.index == index, (code, error.index)
    assert len(await listed(client.list_entities())) == 101
    missing = service.get_table_client(unique("missing"))
    await fails(TableTransactionError, missing.submit_transaction([("create", entity("p", "r"))]), "TableNotFound", 404)


@asynchronous
async def test_errors_say_what_is_wrong(service):
    client = await table(service)
    for bad, code in (
        (entity("p", "r", **{"a-b": 1}), "PropertyNameInvalid"),
        (entity("p", "r", **{"n" * 256: 1}), "PropertyNameTooLong"),
        (entity("p", "r", t="x" * 32_769), "PropertyValueTooLarge"),
        (entity("p", "r", b=bytes(65_537)), "PropertyValueTooLarge"),
        (entity("p", "r", **{f"p{n}": n for n in range(253)}), "TooManyProperties"),
        (entity("p", "r", **{f"p{n}": "x" * 32_768 for n in range(17)}), "EntityTooLarge"),
        (entity("p", "a/b"), "OutOfRangeInput"),
        (entity("p", "r", t=datetime(1600, 1, 1, tzinfo=timezone.utc)), "OutOfRangeInput"),
    ):
        await fails(HttpResponseError, client.create_entity(bad), code, 400)
    missing = service.get_table_client(unique("missing"))
    await fails(ResourceNotFoundError, listed(missing.list_entities()), "TableNotFound", 404)
    await fails(ResourceNotFoundError, missing.create_entity(entity("p", "r")), "TableNotFound", 404)
    await fails(ResourceNotFoundError, missing.get_entity("p", "r"), "ResourceNotFound", 404)


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
