"""Query Blob Contents through the official Python client, with Arrow and Parquet by their own library."""

import io
import json
import sys

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import (
    ArrowDialect,
    ArrowType,
    BlobServiceClient,
    DelimitedJsonDialect,
    DelimitedTextDialect,
)

import runner
from runner import raises, unique

SERVICE = BlobServiceClient.from_connection_string(runner.connection_string())
WITH_HEADERS = DelimitedTextDialect(has_header=True)
JSON = DelimitedJsonDialect()

PEOPLE = b'name,age,city\nAnn,31,"Bern, CH"\nBob,7,Oslo\nCleo,55,\n'
GOODS = b"".join(
    json.dumps(value).encode() + b"\n"
    for value in [
        {"id": 1, "name": "mouse", "price": 12.5, "tags": ["a", "b"], "warehouses": [{"lat": 41.8}, {"lat": 2}]},
        {"id": 2, "name": "keys", "tags": [], "warehouses": [{"lat": -1}], "dimensions": {"length": 3}},
    ]
)


def blob(content):
    client = SERVICE.create_container(unique("c")).get_blob_client("b")
    client.upload_blob(content)
    return client


def ask(content, expression, faults=None, **formats):
    on_error = faults.append if faults is not None else None
    return blob(content).query_blob(expression, on_error=on_error, **formats).readall()


def test_a_whole_blob_comes_back():
    reader = blob(PEOPLE).query_blob("SELECT * FROM BlobStorage")
    assert reader.readall() == PEOPLE
    assert len(reader) == len(PEOPLE)
    assert ask(PEOPLE.replace(b"\n", b"\r\n"), "SELECT * FROM BlobStorage") == PEOPLE


def test_records_come_one_by_one():
    reader = blob(PEOPLE).query_blob("SELECT _1 FROM BlobStorage LIMIT 2")
    assert list(reader.records()) == [b"name", b"Ann", b""]


def test_headers_name_columns():
    query = "SELECT NAME, \"age\" FROM BlobStorage WHERE age > 30"
    plain = {"blob_format": WITH_HEADERS, "output_format": DelimitedTextDialect()}
    assert ask(PEOPLE, query, **plain) == b"Ann,31\nCleo,55\n"
    out = {"blob_format": WITH_HEADERS, "output_format": WITH_HEADERS}
    assert ask(PEOPLE, "SELECT name, age + 1 AS next FROM BlobStorage", **out).splitlines()[:2] == [b"name,next", b"Ann,32"]
    assert ask(PEOPLE, "SELECT * FROM BlobStorage", **out) == PEOPLE


def test_other_delimiters():
    odd = DelimitedTextDialect(delimiter=";", quotechar="'", lineterminator="|", escapechar="\\")
    out = {"blob_format": odd, "output_format": DelimitedTextDialect()}
    assert ask(b"a;'b;c'|d;'e\\'f'|", "SELECT _2 FROM BlobStorage", **out) == b"b;c\ne'f\n"


def test_delimited_becomes_json():
    text = ask(PEOPLE, "SELECT name, city FROM BlobStorage LIMIT 1", blob_format=WITH_HEADERS, output_format=JSON)
    assert json.loads(text) == {"name": "Ann", "city": "Bern, CH"}
    text = ask(b"x,y\n", "SELECT * FROM BlobStorage", output_format=JSON)
    assert json.loads(text) == {"_1": "x", "_2": "y"}


def test_json_is_walked():
    def rows(query):
        return [json.loads(line) for line in ask(GOODS, query, blob_format=JSON, output_format=JSON).splitlines()]

    assert rows("SELECT * FROM BlobStorage") == [json.loads(line) for line in GOODS.splitlines()]
    assert rows("SELECT warehouses[0].lat, id, tags[1] AS second FROM BlobStorage[*]") == [
        {"lat": 41.8, "id": 1, "second": "b"},
        {"lat": -1, "id": 2},
    ]
    assert rows("SELECT lat FROM BlobStorage[*].warehouses[*] WHERE lat < 40") == [{"lat": 2}, {"lat": -1}]
    assert rows("SELECT length FROM BlobStorage[*].dimensions") == [{"length": 3}]
    assert rows("SELECT id FROM BlobStorage WHERE price IS MISSING") == [{"id": 2}]
    out = {"blob_format": JSON, "output_format": DelimitedTextDialect()}
    assert ask(GOODS, "SELECT name, price FROM BlobStorage", **out) == b"mouse,12.5\nkeys,\n"


def test_aggregates():
    query = "SELECT COUNT(*), SUM(age), MIN(age), MAX(name), AVERAGE(age) FROM BlobStorage"
    out = {"blob_format": WITH_HEADERS, "output_format": DelimitedTextDialect()}
    assert ask(PEOPLE, query, **out) == b"3,93,7,Cleo,31\n"
    assert ask(b"", "SELECT COUNT(*) FROM BlobStorage") == b"0\n"


def test_parts_end_with_records():
    text = b"".join(b"%06d\n" % number for number in range(1000))
    lengths = [int(line) for line in ask(text, "SELECT sys.split(100) FROM BlobStorage").splitlines()]
    assert sum(lengths) == len(text)
    assert all(length % 7 == 0 and length >= 100 for length in lengths[:-1])


def test_arrow_comes_out():
    schema = [
        ArrowDialect(ArrowType.STRING, name="name"),
        ArrowDialect(ArrowType.INT64, name="age"),
        ArrowDialect(ArrowType.DECIMAL, name="half", precision=4, scale=1),
        ArrowDialect(ArrowType.BOOL, name="old"),
        ArrowDialect(ArrowType.TIMESTAMP_MS, name="at"),
    ]
    query = "SELECT name, age, CAST(age AS FLOAT) / 2, age > 30, CAST('2020-01-02' AS TIMESTAMP) FROM BlobStorage"
    data = ask(PEOPLE, query, blob_format=WITH_HEADERS, output_format=schema)
    table = pyarrow.ipc.open_stream(io.BytesIO(data)).read_all()
    assert table.num_rows == 3
    first = table.slice(0, 1).to_pylist()[0]
    assert (first["name"], first["age"], str(first["half"]), first["old"]) == ("Ann", 31, "15.5", True)
    assert first["at"].isoformat() == "2020-01-02T00:00:00"


def test_parquet_goes_in():
    count = 20_000
    table = pyarrow.table(
        {
            "id": list(range(count)),
            "text": [f"row {number}" for number in range(count)],
            "share": [number / 4 for number in range(count)],
            "list": [[number, 1] for number in range(count)],
        }
    )
    for compression in ["none", "snappy", "gzip", "zstd"]:
        file = io.BytesIO()
        pyarrow.parquet.write_table(table, file, compression=compression, row_group_size=5000)
        query = "SELECT id, text, share, list[0] FROM BlobStorage WHERE id >= 19998"
        found = ask(file.getvalue(), query, blob_format="ParquetDialect", output_format=JSON)
        assert [json.loads(line) for line in found.splitlines()] == [
            {"id": 19998, "text": "row 19998", "share": 4999.5, "list": 19998},
            {"id": 19999, "text": "row 19999", "share": 4999.75, "list": 19999},
        ], compression


def test_a_bad_record_is_left_out_and_told():
    faults = []
    found = ask(b"1,a\n2\nx,b\n4,d\n", "SELECT _2 FROM BlobStorage WHERE _1 < 9", faults)
    assert found == b"a\nd\n"
    assert [(fault.error, fault.is_fatal) for fault in faults] == [
        ("InvalidColumnOrdinal", False),
        ("InvalidTypeConversion", False),
    ]
    assert faults[1].position == len(b"1,a\n2\nx,b\n")


def test_a_format_that_breaks_ends_the_answer():
    faults = []
    found = ask(b'{"a": 1}\n{"a": \n', "SELECT a FROM BlobStorage", faults, blob_format=JSON, output_format=JSON)
    assert found == b'{"a":1}\n'
    assert [(fault.error, fault.is_fatal) for fault in faults] == [("ParseError", True)]
    faults = []
    ask(b"PAR1 this is none PAR1", "SELECT * FROM BlobStorage", faults, blob_format="ParquetDialect")
    assert [(fault.error, fault.is_fatal) for fault in faults] == [("ParseError", True)]


def test_large_blobs_stream():
    text = b"".join(b"%09d,%s\n" % (number, b"x" * 90) for number in range(300_000))
    reader = blob(text).query_blob("SELECT _1 FROM BlobStorage WHERE _1 % 1000 = 0")
    assert reader.readall() == b"".join(b"%09d\n" % number for number in range(0, 300_000, 1000))
    assert len(reader) == len(text)


def test_what_cannot_be_asked_is_refused():
    for query in ["", "SELECT", "SELECT * FROM Elsewhere", "SELECT a.b FROM BlobStorage[*].c WHERE ("]:
        error = raises(HttpResponseError, blob(PEOPLE).query_blob, query, code="InvalidXmlNodeValue")
        assert error.status_code == 400
    raises(ResourceNotFoundError, SERVICE.get_blob_client("nosuch", "b").query_blob, "SELECT * FROM BlobStorage")
    missing = SERVICE.create_container(unique("c")).get_blob_client("b")
    raises(ResourceNotFoundError, missing.query_blob, "SELECT * FROM BlobStorage", code="BlobNotFound")


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
