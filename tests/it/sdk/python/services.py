"""What the three services share: settings, statistics, account information, access policies, cross-origin rules and
static websites, through the official Python clients. Requests of browsers are made by hand."""

import http.client
import re
import socket
import sys
from datetime import datetime, timedelta, timezone

from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.data.tables import TableAccessPolicy, TableAnalyticsLogging, TableCorsRule, TableMetrics
from azure.data.tables import TableRetentionPolicy, TableServiceClient
from azure.storage.blob import AccessPolicy, BlobAnalyticsLogging, BlobServiceClient, ContainerSasPermissions
from azure.storage.blob import ContentSettings, CorsRule, Metrics, RetentionPolicy, StaticWebsite
from azure.storage.queue import AccessPolicy as QueueAccessPolicy
from azure.storage.queue import CorsRule as QueueCorsRule
from azure.storage.queue import Metrics as QueueMetrics
from azure.storage.queue import QueueAnalyticsLogging, QueueServiceClient
from azure.storage.queue import RetentionPolicy as QueueRetentionPolicy

import runner
from runner import raises, unique

CONNECTION = runner.connection_string()
ENDPOINTS = dict(re.findall(r"(Blob|Queue|Table)Endpoint=([^;]+)", CONNECTION))
BLOBS = BlobServiceClient.from_connection_string(CONNECTION)
QUEUES = QueueServiceClient.from_connection_string(CONNECTION)
TABLES = TableServiceClient.from_connection_string(CONNECTION)

# Not every machine knows that all names under localhost are itself.
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **named: resolve(
    "127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **named
)


def browser(method, url, headers, host=None):
    """A request as a browser makes it, without credentials."""
    address, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(address)
    connection.request(method, "/" + path, headers={**headers, **({"Host": host} if host else {})})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def test_settings_of_blobs_come_back_and_stay_when_left_out():
    BLOBS.set_service_properties(
        analytics_logging=BlobAnalyticsLogging(
            delete=True, write=True, retention_policy=RetentionPolicy(enabled=True, days=5)
        ),
        hour_metrics=Metrics(enabled=True, include_apis=True, retention_policy=RetentionPolicy(enabled=True, days=9)),
        minute_metrics=Metrics(enabled=False),
        cors=[
            CorsRule(
                ["http://one.example"], ["GET", "PUT"], allowed_headers=["x-ms-*"], exposed_headers=["etag"],
                max_age_in_seconds=7,
            )
        ],
        target_version="2020-10-02",
        delete_retention_policy=RetentionPolicy(enabled=True, days=3),
        static_website=StaticWebsite(enabled=True, index_document="index.html", error_document404_path="404.html"),
    )
    BLOBS.set_service_properties(minute_metrics=Metrics(enabled=True, include_apis=False))
    kept = BLOBS.get_service_properties()
    logging = kept["analytics_logging"]
    assert (logging.delete, logging.read, logging.write) == (True, False, True)
    assert (logging.retention_policy.enabled, logging.retention_policy.days) == (True, 5)
    hours, minutes = kept["hour_metrics"], kept["minute_metrics"]
    assert (hours.enabled, hours.include_apis, hours.retention_policy.days) == (True, True, 9)
    assert (minutes.enabled, minutes.include_apis, minutes.retention_policy.enabled) == (True, False, False)
    [rule] = kept["cors"]
    assert (rule.allowed_origins, rule.allowed_methods) == ("http://one.example", "GET,PUT")
    assert (rule.allowed_headers, rule.exposed_headers, rule.max_age_in_seconds) == ("x-ms-*", "etag", 7)
    assert kept["target_version"] == "2020-10-02"
    assert kept["delete_retention_policy"].days == 3
    assert kept["static_website"].index_document == "index.html"
    assert kept["static_website"].error_document404_path == "404.html"
    BLOBS.set_service_properties(
        cors=[], delete_retention_policy=RetentionPolicy(enabled=False), static_website=StaticWebsite(enabled=False)
    )
    kept = BLOBS.get_service_properties()
    assert kept["cors"] == [] and kept["analytics_logging"].delete
    assert not kept["delete_retention_policy"].enabled and not kept["static_website"].enabled


def test_settings_of_queues_come_back():
    QUEUES.set_service_properties(
        analytics_logging=QueueAnalyticsLogging(
            read=True, retention_policy=QueueRetentionPolicy(enabled=True, days=2)
        ),
        hour_metrics=QueueMetrics(enabled=True, include_apis=False),
        cors=[QueueCorsRule(["*"], ["GET"], max_age_in_seconds=1)],
    )
    kept = QUEUES.get_service_properties()
    assert kept["analytics_logging"].read and kept["analytics_logging"].retention_policy.days == 2
    assert kept["hour_metrics"].enabled and not kept["hour_metrics"].include_apis
    assert kept["cors"][0].allowed_origins == "*"
    QUEUES.set_service_properties(cors=[])
    assert QUEUES.get_service_properties()["cors"] == []


def test_settings_of_tables_come_back():
    TABLES.set_service_properties(
        analytics_logging=TableAnalyticsLogging(
            read=True, write=True, delete=False, retention_policy=TableRetentionPolicy(enabled=True, days=2)
        ),
        hour_metrics=TableMetrics(
            enabled=True, include_apis=True, retention_policy=TableRetentionPolicy(enabled=False)
        ),
        cors=[TableCorsRule(["http://one.example", "http://two.example"], ["GET"], max_age_in_seconds=1)],
    )
    kept = TABLES.get_service_properties()
    assert kept["analytics_logging"].read and kept["analytics_logging"].retention_policy.days == 2
    assert kept["hour_metrics"].enabled and kept["hour_metrics"].include_apis
    assert kept["cors"][0].allowed_origins == ["http://one.example", "http://two.example"]
    TABLES.set_service_properties(cors=[])
    assert TABLES.get_service_properties()["cors"] == []


def test_settings_have_limits():
    rule = CorsRule(["http://one.example"], ["GET"])
    raises(HttpResponseError, BLOBS.set_service_properties, cors=[rule] * 6, code="InvalidXmlDocument")
    long = Metrics(enabled=True, include_apis=True, retention_policy=RetentionPolicy(enabled=True, days=366))
    raises(HttpResponseError, BLOBS.set_service_properties, hour_metrics=long, code="InvalidXmlNodeValue")


def test_statistics_come_from_the_secondary_address():
    # These clients replace only the host, so both addresses must be those of a host.
    name = re.search("AccountName=([^;]+)", CONNECTION).group(1)
    key = re.search("AccountKey=([^;]+)", CONNECTION).group(1)
    for service, kind in (("Blob", BlobServiceClient), ("Queue", QueueServiceClient), ("Table", TableServiceClient)):
        port = ENDPOINTS[service].split(":")[2].split("/")[0]
        first, second = (f"{account}.{service.lower()}.localhost:{port}" for account in (name, f"{name}-secondary"))
        credential = AzureNamedKeyCredential(name, key)
        client = kind(f"http://{first}", credential=credential, secondary_hostname=second)
        statistics = client.get_service_stats()["geo_replication"]
        assert statistics["status"] == "live", statistics
        age = datetime.now(timezone.utc) - statistics["last_sync_time"]
        assert timedelta(minutes=-1) < age < timedelta(minutes=1), age


def test_the_account_tells_what_it_is_at_every_address():
    container = BLOBS.get_container_client("nothing")
    for client in (BLOBS, container, container.get_blob_client("blob")):
        information = client.get_account_information()
        assert information["sku_name"] == "Standard_RAGRS" and information["account_kind"] == "StorageV2"
        assert information["is_hns_enabled"] is False


def test_policies_of_a_container_replace_each_other_and_its_access():
    container = BLOBS.create_container(unique("acl"), public_access="container")
    assert container.get_container_properties().public_access == "container"
    start = datetime(2026, 1, 2, 3, 4, 5)
    policy = AccessPolicy(ContainerSasPermissions(read=True, list=True), start + timedelta(days=1), start)
    set_ = container.set_container_access_policy({"one": policy, "two": None}, public_access="blob")
    found = container.get_container_access_policy()
    assert found["public_access"] == "blob"
    one, two = found["signed_identifiers"]
    assert (one.id, two.id, two.access_policy) == ("one", "two", None)
    assert one.access_policy.permission == "rl"
    assert one.access_policy.start == "2026-01-02T03:04:05.0000000Z", one.access_policy.start
    assert one.access_policy.expiry == "2026-01-03T03:04:05.0000000Z"
    assert container.get_container_properties().etag == set_["etag"]
    container.set_container_access_policy({})
    found = container.get_container_access_policy()
    assert (found["public_access"], found["signed_identifiers"]) == (None, [])
    missing = BLOBS.get_container_client(unique("acl"))
    raises(ResourceNotFoundError, missing.get_container_access_policy, code="ContainerNotFound")


def test_policies_of_a_queue_come_back():
    queue = QUEUES.create_queue(unique("acl"))
    start = datetime(2026, 1, 2, 3, 4, 5)
    queue.set_queue_access_policy({"one": QueueAccessPolicy("rap", start + timedelta(hours=1), start), "two": None})
    found = queue.get_queue_access_policy()
    assert sorted(found) == ["one", "two"]
    assert found["one"].permission == "rap" and found["one"].start == "2026-01-02T03:04:05.0000000Z"
    queue.set_queue_access_policy({})
    assert queue.get_queue_access_policy() == {}
    raises(ResourceNotFoundError, QUEUES.get_queue_client(unique("acl")).get_queue_access_policy, code="QueueNotFound")


def test_policies_of_a_table_come_back():
    table = TABLES.create_table(unique("acl"))
    start = datetime(2026, 1, 2, 3, 4, 5)
    policy = TableAccessPolicy(permission="raud", start=start, expiry=start + timedelta(hours=1))
    table.set_table_access_policy({"one": policy, "two": None})
    found = table.get_table_access_policy()
    assert sorted(found) == ["one", "two"] and found["two"] is None
    assert found["one"].permission == "raud"
    table.set_table_access_policy({})
    assert table.get_table_access_policy() == {}


def test_a_page_of_another_origin_may_do_what_the_rules_allow():
    rule = CorsRule(["http://one.example"], ["GET", "PUT"], allowed_headers=["x-ms-*"], exposed_headers=["etag"])
    BLOBS.set_service_properties(cors=[rule])
    asks = {"Origin": "http://one.example", "Access-Control-Request-Method": "PUT"}
    status, headers, _ = browser("OPTIONS", ENDPOINTS["Blob"] + "/any/thing", asks)
    assert (status, headers["access-control-allow-origin"]) == (200, "http://one.example")
    asks["Origin"] = "http://two.example"
    status, headers, body = browser("OPTIONS", ENDPOINTS["Blob"] + "/any/thing", asks)
    assert status == 403 and b"CorsPreflightFailure" in body
    # A request that is refused still tells the page so.
    status, headers, _ = browser("GET", ENDPOINTS["Blob"] + "/any/thing", {"Origin": "http://one.example"})
    assert status >= 400 and headers["access-control-allow-origin"] == "http://one.example"
    BLOBS.set_service_properties(cors=[])
    status, _, _ = browser("OPTIONS", ENDPOINTS["Blob"] + "/any/thing", asks)
    assert status == 403


def test_pages_of_other_origins_reach_queues_and_tables_by_the_rules_of_each():
    allowed = ["http://one.example"]
    QUEUES.set_service_properties(cors=[QueueCorsRule(allowed, ["POST"], max_age_in_seconds=7)])
    TABLES.set_service_properties(cors=[TableCorsRule(allowed, ["MERGE"], max_age_in_seconds=8)])
    for service, method, seconds in (("Queue", "POST", "7"), ("Table", "MERGE", "8")):
        asks = {"Origin": "http://one.example", "Access-Control-Request-Method": method}
        status, headers, body = browser("OPTIONS", ENDPOINTS[service] + "/any", asks)
        assert (status, body) == (200, b""), (service, status, body)
        assert headers["access-control-allow-origin"] == "http://one.example"
        assert headers["access-control-allow-methods"] == method
        assert headers["access-control-max-age"] == seconds
        for wrong in ({"Origin": "http://two.example"}, {"Access-Control-Request-Method": "DELETE"}):
            status, _, body = browser("OPTIONS", ENDPOINTS[service] + "/any", {**asks, **wrong})
            assert status == 403 and b"CorsPreflightFailure" in body, (service, wrong, status, body)
    QUEUES.set_service_properties(cors=[])
    TABLES.set_service_properties(cors=[])
    for service in ("Queue", "Table"):
        assert browser("OPTIONS", ENDPOINTS[service] + "/any", asks)[0] == 403


def test_a_website_is_shown_to_browsers():
    web = BLOBS.get_container_client("$web")
    html = ContentSettings(content_type="text/html")
    host = "devstoreaccount1.web.localhost"
    address = ENDPOINTS["Blob"].rpartition("/")[0]
    status, _, _ = browser("GET", address + "/", {}, host)
    assert status == 404
    BLOBS.set_service_properties(
        static_website=StaticWebsite(enabled=True, index_document="index.html", error_document404_path="404.html")
    )
    assert web.get_container_properties().public_access is None, "made with the website, for its owner"
    web.upload_blob("index.html", b"<h1>Home</h1>", content_settings=html)
    web.upload_blob("404.html", b"<h1>Nothing</h1>", content_settings=html)
    status, headers, body = browser("GET", address + "/", {}, host)
    assert (status, headers["content-type"], body) == (200, "text/html", b"<h1>Home</h1>")
    status, headers, body = browser("HEAD", address + "/index.html", {}, host)
    assert (status, headers["content-length"], body) == (200, "13", b"")
    status, headers, body = browser("GET", address + "/missing", {}, host)
    assert (status, body) == (404, b"<h1>Nothing</h1>")
    BLOBS.set_service_properties(static_website=StaticWebsite(enabled=False))
    assert browser("GET", address + "/", {}, host)[0] == 404
    assert web.get_blob_client("index.html").exists()
    web.delete_container()


def test_the_secondary_address_is_for_reading():
    name = unique("second")
    BLOBS.create_container(name)
    primary = re.sub(r"BlobEndpoint=([^;]+)", lambda match: match.group(0).rstrip("/") + "-secondary", CONNECTION)
    secondary = BlobServiceClient.from_connection_string(primary)
    assert secondary.get_container_client(name).exists()
    refused = raises(HttpResponseError, secondary.create_container, unique("second"))
    assert refused.status_code == 403 and refused.error_code == "InsufficientAccountPermissions", refused


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
