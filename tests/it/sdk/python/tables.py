"""Every table and entity operation, through the official Python client."""

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
from azure.data.tables import (
    EdmType,
    EntityProperty,
    TableServiceClient,
    TableTransactionError,
    UpdateMode,
)

import runner
from runner import raises, unique

SERVICE = TableServiceClient.from_connection_string(runner.connection_string())


def table():
    return SERVICE.create_table(unique("t"))


def entity(partition, row, **properties):
    return {"PartitionKey": partition, "RowKey": row, **properties}


def plain(found):
    return dict(found)


def test_a_table_is_created_listed_and_deleted():
    prefix = unique("list")
    names = [f"{prefix}x{number}" for number in range(5)]
    for name in names:
        SERVICE.create_table(name)
    raises(ResourceExistsError, SERVICE.create_table, names[0], code="TableAlreadyExists")
    pages = SERVICE.query_tables(f"TableName ge '{prefix}' and TableName lt '{prefix}y'", results_per_page=2)
    pages = [[item.name for item in page] for page in pages.by_page()]
    assert [name for page in pages for name in page] == names, pages
    assert max(len(page) for page in pages) == 2
    assert [item.name for item in SERVICE.query_tables(f"TableName eq '{names[1]}'")] == [names[1]]
    assert set(names) <= {item.name for item in SERVICE.list_tables()}
    for name in names:
        SERVICE.delete_table(name)
    assert not [item for item in SERVICE.list_tables() if item.name in names]


def test_every_type_comes_back_as_it_was():
    client = table()
    moment = datetime(2021, 2, 3, 4, 5, 6, 789_000, tzinfo=timezone.utc)
    sent = entity(
        "p",
        "r",
        text="ümläut 'quoted' \"double\" \\ / ✓ 😀",
        empty="",
        small=-42,
        large=EntityProperty(2**62 + 1, EdmType.INT64),
        ratio=2.5,
        whole=3.0,
        tiny=5e-324,
        yes=True,
        no=False,
        moment=moment,
        identity=UUID("c9da6455-213d-42c9-9a79-3e9149a57833"),
        binary=bytes(range(256)),
        nothing=None,
    )
    client.create_entity(sent)
    found = client.get_entity("p", "r")
    for name, value in sent.items():
        if name == "nothing":
            assert name not in found, "a null property is not stored"
        elif name == "large":
            assert found[name].value == 2**62 + 1 and found[name].edm_type == EdmType.INT64
        else:
            assert found[name] == value and type(found[name]) in (type(value), str, type(found["moment"])), name
    assert isinstance(found["whole"], float) and isinstance(found["small"], int)
    for name, value in (("nan", float("nan")), ("plus", float("inf")), ("minus", float("-inf"))):
        client.upsert_entity(entity("p", name, value=value))
        got = client.get_entity("p", name)["value"]
        assert got == value or (got != got and value != value), name


def test_an_entity_is_inserted_once():
    client = table()
    answer = client.create_entity(entity("p", "r", a=1))
    assert answer["etag"].startswith("W/\"datetime'"), answer
    raises(ResourceExistsError, client.create_entity, entity("p", "r", a=2), code="EntityAlreadyExists")
    found = client.get_entity("p", "r")
    assert found["a"] == 1 and found.metadata["etag"] == answer["etag"]
    assert found.metadata["timestamp"]


def test_keys_may_be_any_text():
    client = table()
    keys = ["", " ", "it's", "a,b(c)=d", "ü€😀", "100%25", "+plus", "&and", '"double"', "a" * 512]
    for key in keys:
        client.create_entity(entity(key, key, key=key))
    for key in keys:
        assert client.get_entity(key, key)["key"] == key, key
        client.update_entity(entity(key, key, key=key, more=1))
        client.delete_entity(key, key)
    assert list(client.list_entities()) == []
    for bad in ["a/b", "a\\b", "a#b", "a?b", "a\tb", "a" * 1025]:
        error = raises(HttpResponseError, client.create_entity, entity("p", bad))
        assert error.status_code == 400, bad


def test_update_replaces_and_merge_adds():
    client = table()
    client.create_entity(entity("p", "r", a=1, b=2))
    client.update_entity(entity("p", "r", b=3, c=4), mode=UpdateMode.MERGE)
    assert plain(client.get_entity("p", "r")) == entity("p", "r", a=1, b=3, c=4)
    client.update_entity(entity("p", "r", d=5), mode=UpdateMode.REPLACE)
    assert plain(client.get_entity("p", "r")) == entity("p", "r", d=5)
    missing = entity("p", "missing", a=1)
    raises(ResourceNotFoundError, client.update_entity, missing, mode=UpdateMode.MERGE, code="ResourceNotFound")
    raises(ResourceNotFoundError, client.update_entity, missing, mode=UpdateMode.REPLACE, code="ResourceNotFound")


def test_upserts_insert_or_change():
    client = table()
    client.upsert_entity(entity("p", "m", a=1), mode=UpdateMode.MERGE)
    client.upsert_entity(entity("p", "m", b=2), mode=UpdateMode.MERGE)
    assert plain(client.get_entity("p", "m")) == entity("p", "m", a=1, b=2)
    client.upsert_entity(entity("p", "r", a=1), mode=UpdateMode.REPLACE)
    client.upsert_entity(entity("p", "r", b=2), mode=UpdateMode.REPLACE)
    assert plain(client.get_entity("p", "r")) == entity("p", "r", b=2)


def test_writes_obey_etags():
    client = table()
    first = client.create_entity(entity("p", "r", a=1))["etag"]
    only = {"etag": first, "match_condition": MatchConditions.IfNotModified}
    second = client.update_entity(entity("p", "r", a=2), **only)["etag"]
    assert first != second
    for mode in (UpdateMode.MERGE, UpdateMode.REPLACE):
        raises(
            ResourceModifiedError,
            client.update_entity,
            entity("p", "r", a=3),
            mode=mode,
            code="UpdateConditionNotSatisfied",
            **only,
        )
    raises(ResourceModifiedError, client.delete_entity, "p", "r", code="UpdateConditionNotSatisfied", **only)
    client.delete_entity("p", "r", etag=second, match_condition=MatchConditions.IfNotModified)
    raises(ResourceNotFoundError, client.get_entity, "p", "r", code="ResourceNotFound")


def test_filters_select_by_every_type():
    client = table()
    for number in range(10):
        client.create_entity(
            entity(
                "p" if number < 7 else "q",
                f"{number:03}",
                number=number,
                large=EntityProperty(2**40 + number, EdmType.INT64),
                ratio=number / 2,
                even=number % 2 == 0,
                name=f"it's {number}",
                moment=datetime(2020, 1, 1 + number, tzinfo=timezone.utc),
                identity=UUID(int=number),
                binary=bytes([number]),
                **({"rare": "yes"} if number == 4 else {}),
            )
        )

    def rows(text, **parameters):
        return [int(found["RowKey"]) for found in client.query_entities(text, **parameters)]

    assert rows("PartitionKey eq 'q'") == [7, 8, 9]
    assert rows("PartitionKey eq 'p' and RowKey ge '005'") == [5, 6]
    assert rows("number gt 7 or number le 1") == [0, 1, 8, 9]
    assert rows("not (number lt 8)") == [8, 9]
    assert rows(f"large eq {2**40 + 3}L") == [3]
    assert rows("ratio lt 1.0") == [0, 1]
    assert rows("even eq true and number ne 4") == [0, 2, 6, 8]
    assert rows("name eq @name", parameters={"name": "it's 5"}) == [5]
    assert rows("moment ge @when", parameters={"when": datetime(2020, 1, 9, tzinfo=timezone.utc)}) == [8, 9]
    assert rows("identity eq @id", parameters={"id": UUID(int=6)}) == [6]
    assert rows("binary eq @bytes", parameters={"bytes": b"\x02"}) == [2]
    assert rows("rare eq 'yes'") == [4]
    assert rows("(number eq 1 or number eq 2) and (even eq false or PartitionKey eq 'z')") == [1]
    assert rows("") == list(range(10))
    raises(HttpResponseError, rows, "number eq", code="InvalidInput")
    raises(HttpResponseError, rows, "startswith(name, 'it')")


def test_select_narrows_the_answer():
    client = table()
    client.create_entity(entity("p", "r", a=1, b=2, c=3))
    found = next(iter(client.query_entities("PartitionKey eq 'p'", select=["RowKey", "b"])))
    assert plain(found) == {"RowKey": "r", "b": 2}, plain(found)
    assert plain(client.get_entity("p", "r", select=["a"])) == {"a": 1}


def test_a_long_answer_comes_in_pages_and_in_order():
    client = table()
    for start in range(0, 1200, 100):
        rows = [entity("p", f"{number:06}", number=number) for number in range(start, start + 100)]
        client.submit_transaction([("create", row) for row in rows])
    client.create_entity(entity("a", "first", number=-1))
    assert [found["number"] for found in client.list_entities()] == list(range(-1, 1200))
    pages = [[found["number"] for found in page] for page in client.list_entities(results_per_page=500).by_page()]
    assert [number for page in pages for number in page] == list(range(-1, 1200))
    assert max(len(page) for page in pages) == 500
    pager = client.query_entities("number ge 1000", results_per_page=7).by_page()
    first = [found["number"] for found in next(pager)]
    rest = client.query_entities("number ge 1000", results_per_page=100).by_page(pager.continuation_token)
    assert first + [found["number"] for page in rest for found in page] == list(range(1000, 1200))


def test_a_transaction_is_all_or_nothing():
    client = table()
    for row in ("update", "merge", "delete", "keep"):
        client.create_entity(entity("p", row, a=1, b=2))
    answers = client.submit_transaction(
        [
            ("create", entity("p", "create", a=1)),
            ("update", entity("p", "update", b=3), {"mode": "replace"}),
            ("update", entity("p", "merge", b=3), {"mode": "merge"}),
            ("upsert", entity("p", "upsert", a=1)),
            ("delete", entity("p", "delete")),
        ]
    )
    assert len(answers) == 5 and answers[0]["etag"]
    found = {item["RowKey"]: plain(item) for item in client.list_entities()}
    assert sorted(found) == ["create", "keep", "merge", "update", "upsert"]
    assert found["update"] == entity("p", "update", b=3)
    assert found["merge"] == entity("p", "merge", a=1, b=3)
    failing = [
        ("create", entity("p", "new", a=1)),
        ("upsert", entity("p", "keep", a=99)),
        ("create", entity("p", "create", a=2)),
    ]
    error = raises(TableTransactionError, client.submit_transaction, failing, code="EntityAlreadyExists")
    assert error.index == 2 and error.status_code == 409
    raises(ResourceNotFoundError, client.get_entity, "p", "new")
    assert client.get_entity("p", "keep")["a"] == 1


def test_a_transaction_obeys_etags_and_its_rules():
    client = table()
    stale = client.create_entity(entity("p", "r", a=1))["etag"]
    client.update_entity(entity("p", "r", a=2))
    condition = {"etag": stale, "match_condition": MatchConditions.IfNotModified}
    error = raises(
        TableTransactionError,
        client.submit_transaction,
        [("create", entity("p", "new")), ("update", entity("p", "r", a=3), condition)],
    )
    assert error.status_code == 412 and error.index == 1, (error.status_code, error.index)
    twice = [("upsert", entity("p", "same", a=1)), ("upsert", entity("p", "same", a=2))]
    raises(TableTransactionError, client.submit_transaction, twice, code="InvalidDuplicateRow")
    assert [found["RowKey"] for found in client.list_entities()] == ["r"]


def test_limits_are_refused():
    client = table()
    many = entity("p", "many", **{f"p{number}": number for number in range(253)})
    raises(HttpResponseError, client.create_entity, many, code="TooManyProperties")
    client.create_entity(entity("p", "most", **{f"p{number}": number for number in range(252)}))
    raises(HttpResponseError, client.create_entity, entity("p", "text", t="x" * 32_769), code="PropertyValueTooLarge")
    client.create_entity(entity("p", "longest", t="x" * 32_768))
    large = entity("p", "large", **{f"p{number}": "x" * 32_000 for number in range(20)})
    error = raises(HttpResponseError, client.create_entity, large)
    assert error.status_code in (400, 413), error.status_code


def test_a_missing_table_is_not_found():
    missing = SERVICE.get_table_client(unique("missing"))
    raises(ResourceNotFoundError, lambda: list(missing.list_entities()), code="TableNotFound")
    error = raises(ResourceNotFoundError, missing.create_entity, entity("p", "r"))
    assert "TableNotFound" in str(error), error
    raises(ResourceNotFoundError, missing.get_entity, "p", "r")


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
