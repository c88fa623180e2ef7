"""Signatures made by the official Python clients, for fixtures/auth/sas: prints one document.

    python sas_vectors.py current     with the packages of requirements.txt
    python sas_vectors.py 0.20        with azure-storage 0.20.0: signatures of 2012 to 2014
    python sas_vectors.py 0.30        with azure-storage 0.30.0: 2015
    python sas_vectors.py 1           with azure-storage-blob 1.5.0 or 2.1.0 (and azure-storage-queue of the same): 2018 and 2019
    python sas_vectors.py 12          with any azure-storage-blob 12: what it signs is its newest version then

Nothing here talks to a server. The user delegation key is made by the rule that stands in api/src/auth/delegation.rs,
written again with another implementation of HMAC.
"""

import base64
import hashlib
import hmac
import json
import struct
import sys

ACCOUNT = "devaccount"
KEY = base64.b64encode(bytes(range(64))).decode()
START, EXPIRY = "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"
RECEIVED = 1795348800  # 2026-11-22T12:00:00Z
OID, TID = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
USER, USER_TID = "33333333-3333-3333-3333-333333333333", "44444444-4444-4444-4444-444444444444"
HOSTS = {name: f"http://127.0.0.1:1000{port}/{ACCOUNT}" for port, name in enumerate(["blob", "queue", "table"])}
ANSWER = {
    "cache_control": "no-cache",
    "content_disposition": "attachment; filename=\"a b.txt\"",
    "content_encoding": "gzip",
    "content_language": "de",
    "content_type": "text/plain; charset=utf-8",
}


def delegation_value(service, version, delegated_tid=""):
    mac = hmac.new(bytes([7] * 32), digestmod=hashlib.sha256)
    for text in ["user delegation key 1", ACCOUNT, OID, TID, START, EXPIRY, service, version, delegated_tid]:
        mac.update(struct.pack(">Q", len(text.encode())) + text.encode())
    return base64.b64encode(mac.digest()).decode()


def vector(name, service, path, token, **more):
    token = token.lstrip("?")
    joint = "&" if "?" in path else "?"
    return {"name": name, "service": service, "url": f"{HOSTS[service]}{path}{joint}{token}", **more}


def current():
    from azure.core.credentials import AzureNamedKeyCredential
    from azure.data import tables
    from azure.storage import blob, queue

    version = blob._shared.constants.X_MS_VERSION
    times = {"start": START, "expiry": EXPIRY}

    def delegated(service, user_tid=None):
        key = blob.UserDelegationKey()
        key.signed_oid, key.signed_tid, key.signed_start, key.signed_expiry = OID, TID, START, EXPIRY
        key.signed_service, key.signed_version, key.signed_delegated_user_tid = service, version, user_tid
        key.value = delegation_value(service, version, user_tid or "")
        return key

    def of_blob(**named):
        named = {"permission": "racwd", **times, **named}
        return blob.generate_blob_sas(ACCOUNT, "con", named.pop("blob_name", "dir/a b.txt"), **named)

    yield vector("account, blobs", "blob", "/con/b", blob.generate_account_sas(
        ACCOUNT, KEY, "sco", "rwdlacup", EXPIRY, START, ip="127.0.0.1", protocol="https,http"))
    yield vector("account, all services, encryption scope", "table", "/tab()", blob.generate_account_sas(
        ACCOUNT, KEY, "o", "r", EXPIRY, services="bqt", encryption_scope="scope"))
    yield vector("container", "blob", "/con/b", blob.generate_container_sas(
        ACCOUNT, "con", KEY, permission="racwdl", **times))
    yield vector("blob, with all headers", "blob", "/con/dir/a%20b.txt", of_blob(account_key=KEY, **ANSWER))
    yield vector("blob in the root container", "blob", "/$root/%C3%BC", blob.generate_blob_sas(
        ACCOUNT, "$root", "ü", account_key=KEY, permission="r", **times))
    yield vector("blob, one address and https", "blob", "/con/dir/a%20b.txt", of_blob(
        account_key=KEY, ip="10.0.0.1-10.0.0.9", protocol="https"), peer="10.0.0.5:1", secure=True)
    at = "2026-11-22T01:02:03.1234567Z"
    yield vector("snapshot", "blob", f"/con/dir/a%20b.txt?snapshot={at}", of_blob(account_key=KEY, snapshot=at))
    yield vector("version", "blob", f"/con/dir/a%20b.txt?versionid={at}", of_blob(account_key=KEY, version_id=at))
    yield vector("blob, delegated", "blob", "/con/dir/a%20b.txt", of_blob(user_delegation_key=delegated("b")))
    yield vector("blob, delegated, for one user", "blob", "/con/dir/a%20b.txt", of_blob(
        user_delegation_key=delegated("b", USER_TID), user_delegation_oid=USER, encryption_scope="scope", **ANSWER))
    yield vector("container, delegated, with a correlation", "blob", "/con/b", blob.generate_container_sas(
        ACCOUNT, "con", user_delegation_key=delegated("b"), permission="rl", correlation_id=USER, **times))
    yield vector(
        "blob, delegated, signed headers and parameters", "blob", "/con/dir/a%20b.txt?timeout=30&p2=x", of_blob(
            user_delegation_key=delegated("b"),
            request_headers={"x-ms-one": "1", "x-ms-two": "a b"},
            request_query_params={"timeout": "30", "p2": "x"},
        ), headers=[["x-ms-one", "1"], ["x-ms-two", "a b"]])
    yield vector("queue", "queue", "/que/messages", queue.generate_queue_sas(
        ACCOUNT, "que", KEY, permission="raup", **times))
    yield vector("queue, delegated", "queue", "/que/messages", queue.generate_queue_sas(
        ACCOUNT, "que", permission="raup", user_delegation_key=delegated("q"), user_delegation_oid=USER, **times))
    yield vector("account, queues", "queue", "/que", queue.generate_account_sas(ACCOUNT, KEY, "sc", "rl", EXPIRY))
    credential = AzureNamedKeyCredential(ACCOUNT, KEY)
    yield vector("table, with keys", "table", "/Tab()", tables.generate_table_sas(
        credential, "Tab", permission="raud", start_pk="a b", start_rk="1", end_pk="c", end_rk="é", **times))
    yield vector("table, one end", "table", "/Tab()", tables.generate_table_sas(
        credential, "Tab", permission="r", expiry=EXPIRY, start_pk="a", ip_address_or_range="127.0.0.1"))
    yield vector("account, tables", "table", "/Tables", tables.generate_account_sas(
        credential, tables.ResourceTypes.from_string("sco"), "rwdlau", EXPIRY, start=START))


def first():
    """azure-storage 0.20: one function signs for all services and, told so, for older versions."""
    from azure.storage import AccessPolicy, SharedAccessPolicy
    from azure.storage.sharedaccesssignature import SharedAccessSignature

    signer = SharedAccessSignature(ACCOUNT, KEY)

    def signed(path, kind, permission, version, keys=("", "", "", ""), **named):
        policy = AccessPolicy(START, EXPIRY, permission)
        policy.start_pk, policy.start_rk, policy.end_pk, policy.end_rk = keys
        return signer.generate_signed_query_string(path, kind, SharedAccessPolicy(policy), version, **named)

    for version in ["2013-08-15", "2014-02-14"]:
        yield vector(f"blob {version}", "blob", "/con/b", signed("con/b", "b", "rwd", version, **ANSWER))
        yield vector(f"container {version}", "blob", "/con/b", signed(
            "con", "c", "rl", version, content_type="text/plain"))
    for version in ["2012-02-12", "2014-02-14"]:
        yield vector(f"queue {version}", "queue", "/que/messages", signed("que", None, "raup", version))
        yield vector(f"table {version}", "table", "/Tab()", signed(
            "tab", None, "raud", version, ("a b", "1", "c", "2"), table_name="tab"))


def second():
    """azure-storage 0.30: account signatures, addresses and protocols."""
    from azure.storage.sharedaccesssignature import SharedAccessSignature

    signer = SharedAccessSignature(ACCOUNT, KEY)
    times = {"expiry": EXPIRY, "start": START, "protocol": "https,http"}
    yield vector("account 2015-04-05", "blob", "/con/b", signer.generate_account("bqt", "sco", "rwdlacup", **times))
    yield vector("blob 2015-04-05", "blob", "/con/b", signer.generate_blob("con", "b", "r", ip="127.0.0.1", **times, **ANSWER))
    yield vector("container 2015-04-05", "blob", "/con/b", signer.generate_container("con", "racwdl", **times))
    yield vector("queue 2015-04-05", "queue", "/que", signer.generate_queue("que", "raup", **times))
    yield vector("table 2015-04-05", "table", "/tab", signer.generate_table(
        "tab", "raud", start_pk="a", start_rk="1", end_pk="b", **times))


def services():
    """azure-storage-blob 1 and 2: one class of services for each kind of blob; in 2 users hand on their rights."""
    from azure.storage.blob import BlockBlobService, _constants
    from azure.storage.queue import QueueService

    version = _constants.X_MS_VERSION
    blobs, queues = BlockBlobService(ACCOUNT, KEY), QueueService(ACCOUNT, KEY)
    times = {"start": START, "expiry": EXPIRY}
    yield vector(f"account {version}", "blob", "/con/b", blobs.generate_account_shared_access_signature(
        "sco", "rwdlacup", EXPIRY, START, protocol="https,http"))
    yield vector(f"blob {version}", "blob", "/con/b", blobs.generate_blob_shared_access_signature(
        "con", "b", permission="racwd", ip="127.0.0.1", **times, **ANSWER))
    yield vector(f"container {version}", "blob", "/con/b", blobs.generate_container_shared_access_signature(
        "con", permission="racwdl", **times))
    yield vector(f"queue {version}", "queue", "/que", queues.generate_queue_shared_access_signature(
        "que", permission="raup", **times))
    if version >= "2018-11-09":
        from azure.storage.blob.models import UserDelegationKey

        at = "2026-11-22T01:02:03.1234567Z"
        yield vector(f"snapshot {version}", "blob", f"/con/b?snapshot={at}", blobs.generate_blob_shared_access_signature(
            "con", "b", snapshot=at, permission="r", **times))
        key = UserDelegationKey()
        key.signed_oid, key.signed_tid, key.signed_start, key.signed_expiry = OID, TID, START, EXPIRY
        key.signed_service, key.signed_version, key.value = "b", version, delegation_value("b", version)
        yield vector(f"blob {version}, delegated", "blob", "/con/b", blobs.generate_blob_shared_access_signature(
            "con", "b", permission="racwd", user_delegation_key=key, **times))


def twelve():
    """Any azure-storage-blob 12 before the newest: for each, the newest version of its time."""
    from azure.storage import blob

    version = blob._shared.constants.X_MS_VERSION
    key = blob.UserDelegationKey()
    key.signed_oid, key.signed_tid, key.signed_start, key.signed_expiry = OID, TID, START, EXPIRY
    key.signed_service, key.signed_version, key.value = "b", version, delegation_value("b", version)
    times = {"permission": "racwd", "start": START, "expiry": EXPIRY}
    yield vector(f"account {version}", "blob", "/con/b", blob.generate_account_sas(
        ACCOUNT, KEY, "sco", "rwdlacup", EXPIRY))
    yield vector(f"blob {version}", "blob", "/con/b", blob.generate_blob_sas(
        ACCOUNT, "con", "b", account_key=KEY, **times, **ANSWER))
    at = "2026-11-22T01:02:03.1234567Z"
    yield vector(f"snapshot {version}", "blob", f"/con/b?snapshot={at}", blob.generate_blob_sas(
        ACCOUNT, "con", "b", snapshot=at, account_key=KEY, **times))
    yield vector(f"blob {version}, delegated", "blob", "/con/b", blob.generate_blob_sas(
        ACCOUNT, "con", "b", user_delegation_key=key, **times))


if __name__ == "__main__":
    makers = {"current": current, "0.20": first, "0.30": second, "1": services, "12": twelve}
    document = {
        "why": f"Made by the official Python clients: tests/it/sdk/python/sas_vectors.py {sys.argv[1]}.",
        "key": KEY,
        "received": RECEIVED,
        "vectors": list(makers[sys.argv[1]]()),
    }
    print(json.dumps(document, indent=2))
