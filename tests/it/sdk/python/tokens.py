"""Signing in with a token, and what one may do then, through the official Python clients.

The clients send tokens over TLS only. Where that is comes from the environment:

    LINARITE_TLS_BLOB, LINARITE_TLS_QUEUE, LINARITE_TLS_TABLE   https addresses of the account
    LINARITE_TLS_AUTHORITY                                      the certificate to trust, a PEM file

Without them this program puts TLS of its own before the addresses of LINARITE_CONNECTION_STRING; the server must then
take tokens over plain HTTP. LINARITE_TOKENS is JSON: a signed token for each role, whose holder has that role only.
"""

import asyncio
import datetime
import ipaddress
import json
import os
import ssl
import sys
import tempfile
import threading
import time
import urllib.parse

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobClient, BlobServiceClient, generate_blob_sas
from azure.storage.queue import QueueServiceClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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


def certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = os.path.join(folder, "both.pem")
    with open(path, "wb") as file:
        pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file.write(key.private_bytes(serialization.Encoding.PEM, pkcs8, plain))
        file.write(signed.public_bytes(serialization.Encoding.PEM))
    authority = os.path.join(folder, "authority.pem")
    with open(authority, "wb") as file:
        file.write(signed.public_bytes(serialization.Encoding.PEM))
    return path, authority


async def copy(reader, writer):
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def tls_before(addresses):
    """Starts a TLS server before each of the plain ones; gives their addresses and the certificate to trust."""
    both, authority = certificate(tempfile.mkdtemp(prefix="linarite-tls-"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    async def start(host, port):
        async def accepted(reader, writer):
            behind = await asyncio.open_connection(host, port)
            await asyncio.gather(copy(reader, behind[1]), copy(behind[0], writer))

        server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=context)
        return server.sockets[0].getsockname()[1]

    found = {}
    for service, address in addresses.items():
        plain = urllib.parse.urlsplit(address)
        port = asyncio.run_coroutine_threadsafe(start(plain.hostname, plain.port), loop).result()
        found[service] = f"https://127.0.0.1:{port}{plain.path}"
    return found, authority


def endpoints():
    named = {service: os.environ.get(f"LINARITE_TLS_{service.upper()}") for service in ("blob", "queue", "table")}
    if all(named.values()):
        return named, os.environ["LINARITE_TLS_AUTHORITY"]
    pairs = dict(pair.split("=", 1) for pair in runner.connection_string().strip(";").split(";"))
    return tls_before({service: pairs[f"{service.capitalize()}Endpoint"] for service in named})


ENDPOINTS, AUTHORITY = endpoints()


def blobs(role):
    return BlobServiceClient(ENDPOINTS["blob"], credential=Holder(role), connection_verify=AUTHORITY)


def queues(role):
    return QueueServiceClient(ENDPOINTS["queue"], credential=Holder(role), connection_verify=AUTHORITY)


def tables(role):
    return TableServiceClient(ENDPOINTS["table"], credential=Holder(role), connection_verify=AUTHORITY)


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


def test_the_client_asks_for_storage_and_understands_the_challenge():
    holder = Holder("storage-blob-data-reader")
    service = BlobServiceClient(ENDPOINTS["blob"], credential=holder, connection_verify=AUTHORITY)
    list(service.list_containers())
    assert set(holder.scopes) == {"https://storage.azure.com/.default"}, holder.scopes
    holder = Holder("storage-blob-data-reader")
    holder.token += "x"
    service = BlobServiceClient(ENDPOINTS["blob"], credential=holder, connection_verify=AUTHORITY)
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
        return BlobClient.from_blob_url(f"{container.url}/b?{sas}", connection_verify=AUTHORITY)

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
