"""Customer-provided keys and encryption scopes through the official Python client, over TLS.

`encryption.py write` makes the blobs and reads them; `encryption.py check` reads them again in another process of the
server. The caller searches the disk for the markers.
"""

import base64
import hashlib
import sys

from azure.core.exceptions import HttpResponseError
from azure.storage.blob import (
    BlobBlock,
    BlobServiceClient,
    ContainerEncryptionScope,
    CustomerProvidedEncryptionKey,
    generate_blob_sas,
    BlobSasPermissions,
)

import runner
from runner import unique

MODE = sys.argv.pop(1)
SERVICE = BlobServiceClient.from_connection_string(runner.connection_string(), max_single_put_size=1 << 20,
                                                   max_block_size=1 << 20)
MARKED = (b"a marker under a key %s " % bytes(range(33, 97))) * 30_000
SCOPE = "sdk-scope"


def key(byte):
    raw = bytes([byte]) * 32
    text = base64.b64encode(raw).decode()
    return CustomerProvidedEncryptionKey(text, base64.b64encode(hashlib.sha256(raw).digest()).decode())


KEY, OTHER = key(0xC7), key(0x01)
CONTAINER = SERVICE.get_container_client("encrypted")


def refused(code, status, call, *args, **named):
    try:
        call(*args, **named)
    except HttpResponseError as error:
        assert (error.status_code, error.error_code) == (status, code), (error.status_code, error.error_code)
    else:
        raise AssertionError(f"not refused with {code}")


def write():
    if not CONTAINER.exists():
        CONTAINER.create_container()
        for name, content in [("small", MARKED[:1000]), ("blocks", MARKED)]:
            told = CONTAINER.get_blob_client(name).upload_blob(content, cpk=KEY)
            assert told["encryption_key_sha256"] == KEY.key_hash and told["request_server_encrypted"]
        CONTAINER.get_blob_client("plain").upload_blob(b"a marker without a key")
    return CONTAINER


def check(blob, content):
    assert blob.download_blob(cpk=KEY).readall() == content
    for offset, length in [(0, 1), (65_487, 3), (1_048_287, 70_000), (len(content) - 5, 5)]:
        part = blob.download_blob(offset=offset, length=length, cpk=KEY).readall()
        assert part == content[offset:offset + length], (offset, length)


def test_content_is_read_with_its_key():
    container = write()
    check(container.get_blob_client("blocks"), MARKED)
    assert container.get_blob_client("small").download_blob(cpk=KEY).readall() == MARKED[:1000]
    properties = container.get_blob_client("blocks").get_blob_properties(cpk=KEY)
    assert properties.encryption_key_sha256 == KEY.key_hash and properties.size == len(MARKED)


def test_content_is_not_read_without_its_key():
    blob = write().get_blob_client("blocks")
    for wrong in [{}, {"cpk": OTHER}]:
        refused("BlobUsesCustomerSpecifiedEncryption", 409, blob.download_blob, **wrong)
        try:
            blob.get_blob_properties(**wrong)
        except HttpResponseError as error:
            assert error.status_code == 409
        else:
            raise AssertionError("shown without its key")
        refused("BlobUsesCustomerSpecifiedEncryption", 409, blob.set_blob_metadata, {"k": "v"}, **wrong)
    plain = CONTAINER.get_blob_client("plain")
    refused("BlobDoesNotUseCustomerSpecifiedEncryption", 409, plain.download_blob, cpk=KEY)
    assert plain.download_blob().readall() == b"a marker without a key"


def test_blocks_of_one_blob_have_one_key():
    write()
    blob = CONTAINER.get_blob_client(unique("b"))
    blob.stage_block("1", MARKED[:100_000], cpk=KEY)
    blob.stage_block("2", MARKED[:100_000], cpk=OTHER)
    blocks = [BlobBlock("1"), BlobBlock("2")]
    refused("BlobUsesCustomerSpecifiedEncryption", 409, blob.commit_block_list, blocks, cpk=KEY)
    blob.commit_block_list(blocks[:1], cpk=KEY)
    assert blob.download_blob(cpk=KEY).readall() == MARKED[:100_000]


def test_metadata_are_set_with_the_key():
    write()
    blob = CONTAINER.get_blob_client(unique("b"))
    blob.upload_blob(MARKED[:50], cpk=KEY)
    told = blob.set_blob_metadata({"k": "v"}, cpk=KEY)
    assert told["encryption_key_sha256"] == KEY.key_hash
    assert blob.get_blob_properties(cpk=KEY).metadata == {"k": "v"}


def readable(blob):
    token = generate_blob_sas(blob.account_name, blob.container_name, blob.blob_name,
                              account_key=blob.credential.account_key, permission=BlobSasPermissions(read=True),
                              expiry="2100-01-01T00:00:00Z")
    return f"{blob.url}?{token}"


def test_sources_are_read_with_their_key_and_written_with_another():
    write()
    url = readable(CONTAINER.get_blob_client("blocks"))
    blob = CONTAINER.get_blob_client(unique("b"))
    refused("CannotVerifyCopySource", 409, blob.upload_blob_from_url, url)
    refused("CannotVerifyCopySource", 409, blob.upload_blob_from_url, url, source_cpk=OTHER)
    blob.upload_blob_from_url(url, source_cpk=KEY, cpk=OTHER)
    assert blob.download_blob(cpk=OTHER).readall() == MARKED
    blob.stage_block_from_url("1", url, 5, 70_000, source_cpk=KEY, cpk=KEY)
    blob.commit_block_list([BlobBlock("1")], cpk=KEY)
    assert blob.download_blob(cpk=KEY).readall() == MARKED[5:70_005]
    log = CONTAINER.get_blob_client(unique("b"))
    log.create_append_blob(cpk=KEY)
    log.append_block_from_url(url, 7, 1000, source_cpk=KEY, cpk=KEY)
    assert log.download_blob(cpk=KEY).readall() == MARKED[7:1007]
    disk = CONTAINER.get_blob_client(unique("b"))
    disk.create_page_blob(1024, cpk=KEY)
    disk.upload_pages_from_url(url, 512, 512, 3, source_cpk=KEY, cpk=KEY)
    assert disk.download_blob(cpk=KEY).readall() == bytes(512) + MARKED[3:515]


def test_properties_are_set_with_the_key_or_without():
    write()
    blob = CONTAINER.get_blob_client(unique("b"))
    blob.create_page_blob(1024, cpk=KEY)
    blob.resize_blob(2048, cpk=KEY)
    refused("BlobUsesCustomerSpecifiedEncryption", 409, blob.resize_blob, 4096, cpk=OTHER)
    assert blob.get_blob_properties(cpk=KEY).size == 2048


def test_appends_are_encrypted():
    write()
    blob = CONTAINER.get_blob_client(unique("b"))
    blob.create_append_blob(cpk=KEY)
    for number in range(4):
        blob.append_block(MARKED[number * 70_000:(number + 1) * 70_000], cpk=KEY)
    refused("BlobUsesCustomerSpecifiedEncryption", 409, blob.append_block, b"x")
    refused("BlobUsesCustomerSpecifiedEncryption", 409, blob.append_block, b"x", cpk=OTHER)
    assert blob.download_blob(cpk=KEY).readall() == MARKED[:280_000]
    assert blob.download_blob(offset=69_000, length=2_000, cpk=KEY).readall() == MARKED[69_000:71_000]


def test_pages_are_encrypted():
    write()
    blob = CONTAINER.get_blob_client(unique("b"))
    blob.create_page_blob(1 << 20, cpk=KEY)
    page = MARKED[:65_536]
    blob.upload_page(page, 512, len(page), cpk=KEY)
    blob.upload_page(page[:512], 1024, 512, cpk=KEY)
    refused("BlobUsesCustomerSpecifiedEncryption", 409, blob.upload_page, bytes(1 << 20), 0, 1 << 20)
    expected = bytearray(1 << 20)
    expected[512:512 + len(page)] = page
    expected[1024:1536] = page[:512]
    assert blob.download_blob(cpk=KEY).readall() == bytes(expected)
    assert blob.download_blob(offset=1000, length=100, cpk=KEY).readall() == bytes(expected[1000:1100])


def test_a_scope_is_the_containers_or_the_blobs():
    name = unique("c")
    scope = ContainerEncryptionScope(SCOPE, prevent_encryption_scope_override=True)
    container = SERVICE.create_container(name, container_encryption_scope=scope)
    shown = container.get_container_properties().encryption_scope
    assert shown.default_encryption_scope == SCOPE and shown.prevent_encryption_scope_override
    blob = container.get_blob_client("b")
    assert blob.upload_blob(MARKED[:100_000])["encryption_scope"] == SCOPE
    assert blob.download_blob().readall() == MARKED[:100_000]
    assert blob.get_blob_properties().encryption_scope == SCOPE
    forbidden = "RequestForbiddenByContainerEncryptionPolicy"
    refused(forbidden, 403, blob.upload_blob, b"x", overwrite=True, cpk=KEY)
    other = SERVICE.create_container(unique("c")).get_blob_client("b")
    assert other.upload_blob(b"x", encryption_scope=SCOPE)["encryption_scope"] == SCOPE
    refused("InvalidHeaderValue", 400, other.upload_blob, b"x", overwrite=True, encryption_scope="unknown")
    copied = CONTAINER.get_blob_client(unique("b"))
    copied.start_copy_from_url(readable(blob), requires_sync=True, encryption_scope=SCOPE)
    assert copied.get_blob_properties().encryption_scope == SCOPE
    assert copied.download_blob().readall() == MARKED[:100_000]


def test_a_signature_can_demand_a_scope():
    import datetime
    container = SERVICE.create_container(unique("c"))
    credential = SERVICE.credential
    sas = generate_blob_sas(
        credential.account_name, container.container_name, "b", account_key=credential.account_key,
        permission=BlobSasPermissions(read=True, write=True, create=True), encryption_scope=SCOPE,
        expiry=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1),
    )
    blob = container.get_blob_client("b")
    from azure.storage.blob import BlobClient
    limited = BlobClient.from_blob_url(blob.url + "?" + sas)
    assert limited.upload_blob(MARKED[:1000])["encryption_scope"] == SCOPE
    assert blob.get_blob_properties().encryption_scope == SCOPE
    assert limited.download_blob().readall() == MARKED[:1000]


if __name__ == "__main__":
    if MODE == "check":
        assert CONTAINER.exists(), "the container of `write` is there"
    runner.main(sys.modules[__name__])
