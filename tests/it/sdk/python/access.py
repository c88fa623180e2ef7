"""Shared access signatures and public containers, through the official Python clients."""

import os
import sys
from datetime import datetime, timedelta, timezone

from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.data.tables import TableAccessPolicy, TableClient, TableServiceClient, generate_table_sas
from azure.data.tables import generate_account_sas as generate_table_account_sas
from azure.data.tables import ResourceTypes as TableResourceTypes
from azure.storage.blob import (
    AccessPolicy,
    BlobClient,
    BlobServiceClient,
    ContainerClient,
    PublicAccess,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)
from azure.storage.queue import AccessPolicy as QueueAccessPolicy
from azure.storage.queue import QueueClient, QueueServiceClient, generate_queue_sas

import runner
from runner import raises, unique

CONNECTION = runner.connection_string()
SETTINGS = dict(part.split("=", 1) for part in CONNECTION.split(";") if part)
ACCOUNT, KEY = SETTINGS["AccountName"], SETTINGS["AccountKey"]
BLOBS = BlobServiceClient.from_connection_string(CONNECTION)
QUEUES = QueueServiceClient.from_connection_string(CONNECTION)
TABLES = TableServiceClient.from_connection_string(CONNECTION)
MISMATCH = "AuthorizationPermissionMismatch"


def soon():
    return datetime.now(timezone.utc) + timedelta(hours=1)


def container():
    client = BLOBS.create_container(unique("c"))
    client.upload_blob("dir/a b.txt", b"hello")
    return client


def narrowed(client, permission, **more):
    sas = generate_container_sas(ACCOUNT, client.container_name, KEY, permission=permission, expiry=soon(), **more)
    return ContainerClient.from_container_url(f"{client.url}?{sas}")


def test_a_container_is_read_and_listed_but_not_written():
    reader = narrowed(container(), "rl")
    assert [blob.name for blob in reader.list_blobs()] == ["dir/a b.txt"]
    assert reader.download_blob("dir/a b.txt").readall() == b"hello"
    raises(HttpResponseError, reader.upload_blob, "new", b"x", code=MISMATCH)
    raises(HttpResponseError, reader.delete_blob, "dir/a b.txt", code=MISMATCH)
    raises(HttpResponseError, reader.get_container_properties, code="AuthorizationFailure")
    raises(HttpResponseError, reader.delete_container, code="AuthorizationFailure")


def test_a_container_is_written_in_blocks_and_not_read():
    full = container()
    writer = narrowed(full, "w")
    body = os.urandom(300_000)
    small = ContainerClient.from_container_url(writer.url, max_single_put_size=1000, max_block_size=100_000)
    small.upload_blob("big", body, overwrite=True)
    assert full.download_blob("big").readall() == body
    raises(HttpResponseError, lambda: writer.download_blob("big").readall(), code=MISMATCH)
    raises(HttpResponseError, lambda: list(writer.list_blobs()), code=MISMATCH)


def test_what_may_only_be_created_is_never_overwritten():
    creator = narrowed(container(), "c")
    creator.upload_blob("new", b"first")
    raises(ResourceExistsError, creator.upload_blob, "new", b"second")
    raises(HttpResponseError, creator.upload_blob, "new", b"second", overwrite=True, code="UnauthorizedBlobOverwrite")


def test_a_blob_is_answered_with_the_headers_that_were_signed():
    blob = container().get_blob_client("dir/a b.txt")
    answer = {"content_type": "text/x-signed", "content_disposition": "attachment", "cache_control": "no-store"}
    sas = generate_blob_sas(
        ACCOUNT, blob.container_name, blob.blob_name, account_key=KEY, permission="r", expiry=soon(), **answer)
    reader = BlobClient.from_blob_url(f"{blob.url}?{sas}")
    settings = reader.get_blob_properties().content_settings
    assert (settings.content_type, settings.content_disposition) == ("text/x-signed", "attachment")
    assert settings.cache_control == "no-store"
    assert reader.download_blob().properties.content_settings.content_type == "text/x-signed"
    other = BLOBS.get_blob_client(blob.container_name, "other")
    other.upload_blob(b"x")
    stranger = BlobClient.from_blob_url(f"{other.url}?{sas}")
    raises(HttpResponseError, stranger.get_blob_properties, code="AuthenticationFailed")


def test_times_and_addresses_are_kept():
    full = container()
    for more, code in [
        ({"start": soon()}, "AuthenticationFailed"),
        ({"ip": "10.0.0.1"}, "AuthorizationSourceIPMismatch"),
        ({"protocol": "https"}, "AuthorizationProtocolMismatch"),
    ]:
        reader = narrowed(full, "r", **more)
        raises(HttpResponseError, reader.download_blob, "dir/a b.txt", code=code)
    reader = narrowed(full, "r", ip="127.0.0.1", protocol="https,http", start="2020-01-01T00:00:00Z")
    assert reader.download_blob("dir/a b.txt").readall() == b"hello"


def test_an_account_is_limited_to_services_types_and_rights():
    def service(types, permission, services="b"):
        sas = generate_account_sas(ACCOUNT, KEY, types, permission, soon(), services=services)
        return BlobServiceClient(BLOBS.url, credential=sas)

    name = unique("c")
    raises(HttpResponseError, service("o", "rwdlac").create_container, name,
           code="AuthorizationResourceTypeMismatch")
    raises(HttpResponseError, service("sco", "r").create_container, name, code=MISMATCH)
    raises(HttpResponseError, service("sco", "rwdlac", "q").create_container, name,
           code="AuthorizationServiceMismatch")
    everything = service("sco", "rwdlac")
    created = everything.create_container(name)
    created.upload_blob("b", b"hello")
    assert name in [found.name for found in everything.list_containers(name_starts_with=name)]
    everything.delete_container(name)


def test_a_queue_is_filled_by_one_and_emptied_by_another():
    queue = QUEUES.create_queue(unique("q"))

    def holder(permission):
        sas = generate_queue_sas(ACCOUNT, queue.queue_name, KEY, permission=permission, expiry=soon())
        return QueueClient.from_queue_url(f"{queue.url}?{sas}")

    holder("a").send_message("one")
    raises(HttpResponseError, holder("a").receive_message, code=MISMATCH)
    assert holder("r").peek_messages()[0].content == "one"
    assert holder("r").get_queue_properties().approximate_message_count == 1
    worker = holder("pu")
    message = worker.receive_message()
    message = worker.update_message(message, content="two", visibility_timeout=0)
    raises(HttpResponseError, worker.send_message, "three", code=MISMATCH)
    worker.delete_message(message)
    raises(HttpResponseError, holder("raup").clear_messages, code="AuthorizationFailure")


def table_holder(name, permission, **more):
    credential = AzureNamedKeyCredential(ACCOUNT, KEY)
    sas = generate_table_sas(credential, name, permission=permission, expiry=soon(), **more)
    return TableClient(TABLES.url, name, credential=AzureSasCredential(sas))


def test_entities_are_read_added_and_upserted_each_with_its_right():
    table = TABLES.create_table(unique("t"))
    entity = {"PartitionKey": "p", "RowKey": "r", "Colour": "blue"}
    adder = table_holder(table.table_name, "a")
    adder.create_entity(entity)
    raises(HttpResponseError, adder.upsert_entity, entity, code=MISMATCH)
    raises(HttpResponseError, adder.get_entity, "p", "r", code=MISMATCH)
    table_holder(table.table_name, "au").upsert_entity({**entity, "Colour": "red"})
    reader = table_holder(table.table_name, "r")
    assert reader.get_entity("p", "r")["Colour"] == "red"
    raises(HttpResponseError, reader.delete_entity, "p", "r", code=MISMATCH)
    table_holder(table.table_name, "d").delete_entity("p", "r")


def test_a_range_of_keys_bounds_queries_writes_and_transactions():
    table = TABLES.create_table(unique("t"))
    for partition, row in [("a", "1"), ("b", "1"), ("b", "2"), ("c", "1")]:
        table.create_entity({"PartitionKey": partition, "RowKey": row})
    holder = table_holder(table.table_name, "raud", start_pk="b", start_rk="2", end_pk="c", end_rk="5")
    keys = [(entity["PartitionKey"], entity["RowKey"]) for entity in holder.list_entities()]
    assert keys == [("b", "2"), ("c", "1")]
    assert list(holder.query_entities("PartitionKey eq 'a'")) == []
    new = lambda row: {"PartitionKey": "c", "RowKey": row}
    holder.submit_transaction([("create", new("2")), ("upsert", new("3"))])
    raises(HttpResponseError, holder.submit_transaction, [("create", new("4")), ("create", new("6"))])
    raises(HttpResponseError, holder.create_entity, new("6"), code="AuthorizationFailure")
    assert len(list(table.query_entities("PartitionKey eq 'c'"))) == 3


def test_an_accounts_signature_makes_tables():
    credential = AzureNamedKeyCredential(ACCOUNT, KEY)
    sas = generate_table_account_sas(credential, TableResourceTypes.from_string("sco"), "rwdlacu", soon())
    service = TableServiceClient(TABLES.url, credential=AzureSasCredential(sas))
    name = unique("t")
    service.create_table(name).create_entity({"PartitionKey": "p", "RowKey": "r"})
    assert name in [table.name for table in service.list_tables()]
    service.delete_table(name)


def test_a_policy_opens_and_closes_what_was_signed_before():
    full = container()
    policy = AccessPolicy(permission="r", expiry=soon())
    full.set_container_access_policy({"readers": policy})
    sas = generate_container_sas(ACCOUNT, full.container_name, KEY, policy_id="readers")
    reader = ContainerClient.from_container_url(f"{full.url}?{sas}")
    assert reader.download_blob("dir/a b.txt").readall() == b"hello"
    raises(HttpResponseError, reader.upload_blob, "new", b"x", code=MISMATCH)
    both = narrowed(full, "r", policy_id="readers")
    raises(HttpResponseError, both.download_blob, "dir/a b.txt", code="AuthenticationFailed")
    full.set_container_access_policy({"readers": AccessPolicy(permission="rw", expiry=soon())})
    reader.upload_blob("new", b"x")
    full.set_container_access_policy({})
    raises(HttpResponseError, reader.download_blob, "dir/a b.txt", code="AuthenticationFailed")
    raises(HttpResponseError, reader.get_container_access_policy, code="AuthenticationFailed")
    raises(HttpResponseError, narrowed(full, "rwdl").get_container_access_policy, code="AuthorizationFailure")


def test_queues_and_tables_have_policies_too():
    queue = QUEUES.create_queue(unique("q"))
    queue.set_queue_access_policy({"senders": QueueAccessPolicy(permission="a", expiry=soon())})
    sas = generate_queue_sas(ACCOUNT, queue.queue_name, KEY, policy_id="senders")
    sender = QueueClient.from_queue_url(f"{queue.url}?{sas}")
    sender.send_message("one")
    raises(HttpResponseError, sender.receive_message, code=MISMATCH)
    table = TABLES.create_table(unique("t"))
    start = datetime.now(timezone.utc) - timedelta(hours=1)
    table.set_table_access_policy({"adders": TableAccessPolicy(start=start, expiry=soon(), permission="a")})
    sas = generate_table_sas(AzureNamedKeyCredential(ACCOUNT, KEY), table.table_name, policy_id="adders")
    adder = TableClient(TABLES.url, table.table_name, credential=AzureSasCredential(sas))
    adder.create_entity({"PartitionKey": "p", "RowKey": "r"})
    raises(HttpResponseError, adder.get_entity, "p", "r", code=MISMATCH)


def test_a_public_container_is_read_by_anybody():
    name = unique("c")
    BLOBS.create_container(name, public_access=PublicAccess.BLOB).upload_blob("b", b"hello")
    anybody = ContainerClient(BLOBS.url, name)
    assert anybody.download_blob("b").readall() == b"hello"
    raises(HttpResponseError, lambda: list(anybody.list_blobs()), code="NoAuthenticationInformation")
    raises(HttpResponseError, anybody.upload_blob, "c", b"x", code="NoAuthenticationInformation")
    name = unique("c")
    BLOBS.create_container(name, public_access=PublicAccess.CONTAINER).upload_blob("b", b"hello")
    assert [blob.name for blob in ContainerClient(BLOBS.url, name).list_blobs()] == ["b"]


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
