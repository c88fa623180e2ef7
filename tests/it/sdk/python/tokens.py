"""Signing in with a token, and what one may do then, through the official Python clients.

The clients send tokens over TLS only, so the addresses of LINARITE_CONNECTION_STRING begin with https, and the server's local
authority is trusted as `linarite trust` says: by REQUESTS_CA_BUNDLE. LINARITE_TOKENS is JSON: a signed token for each role, whose
holder has that role only.
"""

import datetime
import json
import os
import sys
import time

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobClient, BlobServiceClient, generate_blob_sas
from azure.storage.queue import QueueServiceClient

import runner
from runner import raises, unique

TOKENS = json.loads(os.environ["LINARITE_TOKENS"])


class Holder:
    """Hands out one token, as a library that signs in would, and notes for what it was asked."""

    def __init__(self, role):
        self.token = TOKENS[role]
        self.scopes = []

    def get_token(self, *scopes, **_):
        self.scopes.extend(scopes)
        return AccessToken(self.token, int(time.time()) + 3600)


PAIRS = dict(pair.split("=", 1) for pair in runner.connection_string().strip(";").split(";"))
ENDPOINTS = {service: PAIRS[f"{service.capitalize()}Endpoint"] for service in ("blob", "queue", "table")}
assert all(endpoint.startswith("https://") for endpoint in ENDPOINTS.values()), ENDPOINTS


def blobs(role):
    return BlobServiceClient(ENDPOINTS["blob"], credential=Holder(role))


def queues(role):
    return QueueServiceClient(ENDPOINTS["queue"], credential=Holder(role))


def tables(role):
    return TableServiceClient(ENDPOINTS["table"], credential=Holder(role))


def refused(call, *arguments, **named):
    error = raises(HttpResponseError, call, *arguments, **named)
    assert error.status_code == 403, error
    assert "AuthorizationPermissionMismatch" in str(error), error


def test_a_reader_reads_what_a_contributor_wrote_and_writes_nothing():
    name = unique("tokens")
    container = blobs("storage-blob-data-contributor").create_container(name)
    container.upload_blob("a/b", b"hello" * 1000)
    reader = blobs("storage-blob-data-reader").get_container_client(name)
    assert reader.download_blob("a/b").readall() == b"hello" * 1000
    assert [blob.name for blob in reader.list_blobs()] == ["a/b"]
    refused(reader.upload_blob, "c", b"x")
    refused(reader.delete_blob, "a/b")
    refused(blobs("storage-queue-data-contributor").get_container_client(name).get_container_properties)


def test_only_who_trusts_the_authority_talks_to_the_server():
    stranger = BlobServiceClient(
        ENDPOINTS["blob"], credential=Holder("storage-blob-data-reader"), connection_verify=True, retry_total=0)
    trusted = os.environ.pop("REQUESTS_CA_BUNDLE")
    try:
        error = raises(ServiceRequestError, lambda: list(stranger.list_containers()))
    finally:
        os.environ["REQUESTS_CA_BUNDLE"] = trusted
    assert "CERTIFICATE_VERIFY_FAILED" in str(error), error
    list(blobs("storage-blob-data-reader").list_containers())


def test_tags_are_for_owners():
    name = unique("tokens")
    contributor = blobs("storage-blob-data-contributor").create_container(name)
    refused(contributor.upload_blob, "a", b"x", tags={"a": "b"})
    contributor.upload_blob("a", b"x")
    refused(contributor.get_blob_client("a").set_blob_metadata, {"a": "b"}, headers={"x-ms-tags": "a=b"})


def test_what_is_at_the_server_is_named_by_https():
    name = unique("tokens")
    table = tables("storage-table-data-contributor").create_table(name)
    seen = []
    table.create_entity({"PartitionKey": "p", "RowKey": "r"}, raw_response_hook=lambda answer: seen.append(
        answer.http_response.headers.get("Location", "")))
    assert seen and seen[0].startswith(ENDPOINTS["table"].split("/devstore")[0] + "/"), seen


def test_the_client_asks_for_storage_and_understands_the_challenge():
    holder = Holder("storage-blob-data-reader")
    service = BlobServiceClient(ENDPOINTS["blob"], credential=holder)
    list(service.list_containers())
    assert set(holder.scopes) == {"https://storage.azure.com/.default"}, holder.scopes
    holder = Holder("storage-blob-data-reader")
    holder.token += "x"
    service = BlobServiceClient(ENDPOINTS["blob"], credential=holder)
    error = raises(ClientAuthenticationError, service.get_container_client("abc").get_container_properties)
    assert error.status_code == 401, error
    # It was asked for a second time, for what the challenge names.
    assert len(holder.scopes) >= 2, holder.scopes


def test_a_user_delegation_key_is_made_for_who_asks():
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    later = now + datetime.timedelta(hours=1)
    service = blobs("storage-blob-delegator")
    one, two = (service.get_user_delegation_key(now, later) for _ in range(2))
    assert (one.value, one.signed_service) == (two.value, "b")
    assert one.signed_oid and one.signed_tid and one.signed_expiry == later.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert blobs("storage-blob-data-reader").get_user_delegation_key(now, later).value != one.value
    queue = queues("storage-queue-delegator").get_user_delegation_key(expiry=later, start=now)
    assert (queue.signed_service, queue.signed_oid != one.signed_oid, queue.value != one.value) == ("q", True, True)
    late = now + datetime.timedelta(days=8)
    error = raises(HttpResponseError, service.get_user_delegation_key, now, late)
    assert error.status_code == 400, error


def test_what_is_handed_on_is_what_is_signed_and_held():
    owner = blobs("storage-blob-data-contributor")
    container = owner.create_container(unique("tokens"))
    container.upload_blob("b", b"hello")
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    later = now + datetime.timedelta(hours=1)
    account = ENDPOINTS["blob"].rstrip("/").rsplit("/", 1)[-1]

    def handed_on(role, permission, **more):
        key = blobs(role).get_user_delegation_key(now, later)
        sas = generate_blob_sas(
            account, container.container_name, "b", user_delegation_key=key, permission=permission, expiry=later, **more)
        return BlobClient.from_blob_url(f"{container.url}/b?{sas}")

    reader = handed_on("storage-blob-data-reader", "rwd")
    assert reader.download_blob().readall() == b"hello"
    raises(HttpResponseError, reader.delete_blob, code="AuthorizationPermissionMismatch")
    writer = handed_on("storage-blob-data-contributor", "w")
    writer.upload_blob(b"changed", overwrite=True)
    raises(HttpResponseError, writer.download_blob, code="AuthorizationPermissionMismatch")
    raises(HttpResponseError, handed_on("storage-blob-delegator", "r").download_blob,
           code="AuthorizationPermissionMismatch")
    stranger = handed_on("storage-blob-data-reader", "r", user_delegation_oid="00000000-0000-0000-0000-000000000009")
    raises(HttpResponseError, stranger.download_blob, code="NoAuthenticationInformation")


def test_senders_send_and_processors_take():
    name = unique("tokens")
    queues("storage-queue-data-contributor").create_queue(name)
    sender = queues("storage-queue-data-message-sender").get_queue_client(name)
    sender.send_message("hello")
    refused(sender.peek_messages)
    processor = queues("storage-queue-data-message-processor").get_queue_client(name)
    refused(processor.send_message, "hello")
    [message] = list(processor.receive_messages())
    processor.delete_message(message)
    refused(processor.clear_messages)
    refused(queues("storage-queue-data-reader").get_queue_client(name).receive_message)


def test_a_table_s_reader_reads_what_its_contributor_wrote():
    name = unique("tokens")
    table = tables("storage-table-data-contributor").create_table(name)
    table.create_entity({"PartitionKey": "p", "RowKey": "r", "A": 1})
    table.upsert_entity({"PartitionKey": "p", "RowKey": "r", "A": 2})
    table.submit_transaction([("upsert", {"PartitionKey": "p", "RowKey": "s", "A": 3})])
    reader = tables("storage-table-data-reader").get_table_client(name)
    assert [entity["A"] for entity in reader.list_entities()] == [2, 3]
    refused(reader.upsert_entity, {"PartitionKey": "p", "RowKey": "r", "A": 9})
    refused(reader.submit_transaction, [("upsert", {"PartitionKey": "p", "RowKey": "s", "A": 9})])


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
