"""What keeps a blob from being changed or lost, through the official Python clients: leases, snapshots, soft deletion,
tiers, expiry of leases by the clock, immutability, conditions on tags."""

import asyncio
import sys
import time
from datetime import datetime, timedelta, timezone

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import (
    BlobImmutabilityPolicyMode,
    BlobLeaseClient,
    BlobServiceClient,
    ImmutabilityPolicy,
    RetentionPolicy,
    StandardBlobTier,
)
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

import runner
from runner import raises, unique

SERVICE = BlobServiceClient.from_connection_string(runner.connection_string())


def container():
    return SERVICE.create_container(unique("protect"))


def blob(content=b"first", **named):
    client = container().get_blob_client("b")
    client.upload_blob(content, **named)
    return client


def test_a_lease_lets_its_holder_write_and_nobody_else():
    client = blob()
    lease = client.acquire_lease(lease_duration=15)
    properties = client.get_blob_properties().lease
    assert (properties.status, properties.state, properties.duration) == ("locked", "leased", "fixed")
    raises(HttpResponseError, client.upload_blob, b"other", overwrite=True, code="LeaseIdMissing")
    raises(HttpResponseError, client.set_blob_metadata, {"k": "v"}, code="LeaseIdMissing")
    raises(HttpResponseError, client.stage_block, "AAAA", b"block", code="LeaseIdMissing")
    raises(HttpResponseError, client.delete_blob, code="LeaseIdMissing")
    assert client.download_blob().readall() == b"first"
    client.upload_blob(b"second", overwrite=True, lease=lease)
    client.set_blob_metadata({"k": "v"}, lease=lease)
    assert client.download_blob(lease=lease).readall() == b"second"
    lease.change("11111111-1111-1111-1111-111111111111")
    assert lease.id == "11111111-1111-1111-1111-111111111111"
    lease.renew()
    lease.release()
    client.upload_blob(b"third", overwrite=True)
    assert client.download_blob().readall() == b"third"


def test_a_lease_ends_by_the_clock_and_a_write_then_takes_it_away():
    client = blob()
    begun = time.monotonic()
    lease = client.acquire_lease(lease_duration=15)
    while client.get_blob_properties().lease.state == "leased":
        time.sleep(0.5)
    # Never early, however slow the machine is; the two clocks need not agree to the last bit.
    assert time.monotonic() - begun > 14.9, "the lease ended early"
    assert client.get_blob_properties().lease.state == "expired"
    raises(HttpResponseError, client.upload_blob, b"x", overwrite=True, lease=lease, code="LeaseLost")
    client.upload_blob(b"second", overwrite=True)
    raises(HttpResponseError, lease.renew, code="LeaseIdMismatchWithLeaseOperation")


def test_a_broken_lease_says_how_long_it_still_holds():
    client = blob()
    lease = client.acquire_lease()
    assert client.get_blob_properties().lease.duration == "infinite"
    assert lease.break_lease(lease_break_period=40) == 40
    assert client.get_blob_properties().lease.state == "breaking"
    raises(ResourceExistsError, client.acquire_lease, lease_id=lease.id, code="LeaseIsBreakingAndCannotBeAcquired")
    assert lease.break_lease(lease_break_period=0) == 0
    assert client.get_blob_properties().lease.state == "broken"
    client.upload_blob(b"second", overwrite=True)
    assert client.get_blob_properties().lease.state == "available"


def test_a_leased_container_is_deleted_by_its_holder_only():
    client = container()
    lease = BlobLeaseClient(client)
    lease.acquire(lease_duration=60)
    client.upload_blob("b", b"x")
    assert client.get_container_properties().lease.state == "leased"
    [listed] = SERVICE.list_containers(name_starts_with=client.container_name)
    assert (listed.lease.status, listed.lease.state, listed.lease.duration) == ("locked", "leased", "fixed")
    raises(HttpResponseError, client.delete_container, code="LeaseIdMissing")
    lease.renew()
    assert BlobLeaseClient(client).break_lease(lease_break_period=0) == 0
    lease = client.acquire_lease()
    client.delete_container(lease=lease)
    raises(ResourceNotFoundError, client.get_container_properties)


def test_a_lease_of_a_container_changes_its_id_and_ends():
    client = container()
    lease = client.acquire_lease(lease_duration=-1)
    old = lease.id
    lease.change("22222222-2222-2222-2222-222222222222")
    raises(HttpResponseError, client.delete_container, lease=old, code="LeaseIdMismatchWithContainerOperation")
    assert client.get_container_properties(lease=lease).lease.duration == "infinite"
    lease.release()
    assert client.get_container_properties().lease.state == "available"
    client.delete_container()


def test_a_blob_that_has_expired_is_gone():
    client = blob()
    # The client keeps this operation for accounts with folders and calls it nowhere; its generated part has it.
    operations = client._client.blob
    operations.set_expiry("RelativeToNow", expires_on="3600000")
    assert client.download_blob().readall() == b"first"
    operations.set_expiry("NeverExpire")
    operations.set_expiry("Absolute", expires_on="Fri, 31 Dec 2100 23:59:59 GMT")
    assert client.exists()
    operations.set_expiry("RelativeToCreation", expires_on="0")
    assert not client.exists()
    assert raises(ResourceNotFoundError, client.download_blob).error_code == "BlobNotFound"
    client.upload_blob(b"second")
    assert client.download_blob().readall() == b"second"


def test_a_snapshot_stays_what_the_blob_was():
    client = blob(metadata={"k": "v"})
    taken = client.create_snapshot()
    assert taken["etag"] == client.get_blob_properties().etag
    client.upload_blob(b"second", overwrite=True)
    snapshot = SERVICE.get_blob_client(client.container_name, "b", snapshot=taken["snapshot"])
    assert snapshot.download_blob().readall() == b"first"
    assert snapshot.get_blob_properties().metadata == {"k": "v"}
    assert snapshot.get_blob_properties().lease.state is None
    own = client.create_snapshot(metadata={"other": "w"})["snapshot"]
    own = SERVICE.get_blob_client(client.container_name, "b", snapshot=own)
    assert own.get_blob_properties().metadata == {"other": "w"}
    assert own.download_blob().readall() == b"second"
    raises(ResourceExistsError, client.delete_blob, code="SnapshotsPresent")
    snapshot.delete_blob()
    raises(ResourceNotFoundError, snapshot.get_blob_properties)
    client.delete_blob(delete_snapshots="only")
    raises(ResourceNotFoundError, own.get_blob_properties)
    assert client.download_blob().readall() == b"second"
    client.create_snapshot()
    client.delete_blob(delete_snapshots="include")
    assert not client.exists()


def test_a_deleted_blob_comes_back_while_it_is_kept():
    SERVICE.set_service_properties(delete_retention_policy=RetentionPolicy(enabled=True, days=2))
    try:
        client = blob()
        snapshot = client.create_snapshot()["snapshot"]
        client.delete_blob(delete_snapshots="include")
        raises(ResourceNotFoundError, client.download_blob)
        client.undelete_blob()
        assert client.download_blob().readall() == b"first"
        past = SERVICE.get_blob_client(client.container_name, "b", snapshot=snapshot)
        assert past.download_blob().readall() == b"first"
        client.upload_blob(b"second", overwrite=True)
        client.delete_blob(delete_snapshots="include")
        client.undelete_blob()
        assert client.download_blob().readall() == b"second"
        never = SERVICE.get_blob_client(client.container_name, "never")
        raises(ResourceNotFoundError, never.undelete_blob, code="BlobNotFound")
    finally:
        SERVICE.set_service_properties(delete_retention_policy=RetentionPolicy(enabled=False))
    client = blob()
    client.delete_blob()
    raises(ResourceNotFoundError, client.undelete_blob, code="BlobNotFound")


def test_tiers_are_told_and_the_archive_is_left_by_and_by():
    client = blob()
    properties = client.get_blob_properties()
    assert (properties.blob_tier, properties.blob_tier_inferred) == ("Hot", True)
    client.set_standard_blob_tier(StandardBlobTier.COOL)
    properties = client.get_blob_properties()
    assert (properties.blob_tier, properties.blob_tier_inferred) == ("Cool", None)
    assert properties.blob_tier_change_time is not None
    client.set_standard_blob_tier(StandardBlobTier.ARCHIVE)
    raises(HttpResponseError, client.download_blob, code="BlobArchived")
    client.set_standard_blob_tier(StandardBlobTier.HOT, rehydrate_priority="High")
    properties = client.get_blob_properties()
    assert (properties.blob_tier, properties.archive_status) == ("Archive", "rehydrate-pending-to-hot")
    end = time.monotonic() + 60
    while client.get_blob_properties().blob_tier != "Hot":
        assert time.monotonic() < end, "the blob never left the archive"
        time.sleep(0.5)
    assert client.download_blob().readall() == b"first"
    cold = blob(standard_blob_tier=StandardBlobTier.COLD)
    assert cold.get_blob_properties().blob_tier == "Cold"


def test_a_policy_and_a_hold_keep_a_blob_as_it_is():
    until = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=1)
    client = blob()
    policy = ImmutabilityPolicy(expiry_time=until, policy_mode=BlobImmutabilityPolicyMode.Unlocked)
    client.set_immutability_policy(policy)
    found = client.get_blob_properties().immutability_policy
    assert (found.expiry_time, found.policy_mode) == (until, "unlocked")
    raises(HttpResponseError, client.delete_blob, code="BlobImmutableDueToPolicy")
    raises(HttpResponseError, client.upload_blob, b"x", overwrite=True, code="BlobImmutableDueToPolicy")
    client.delete_immutability_policy()
    client.upload_blob(b"second", overwrite=True)
    assert client.set_legal_hold(True)["legal_hold"] is True
    assert client.get_blob_properties().has_legal_hold
    raises(HttpResponseError, client.delete_blob, code="BlobImmutableDueToLegalHold")
    client.set_legal_hold(False)
    client.delete_blob()
    given = blob(immutability_policy=policy, legal_hold=True)
    assert given.get_blob_properties().immutability_policy.expiry_time == until
    assert given.get_blob_properties().has_legal_hold
    assert given.download_blob().readall() == b"first"


def test_a_container_is_kept_while_something_in_it_is_held():
    here = container()
    client = here.get_blob_client("b")
    client.upload_blob(b"first")
    snapshot = here.get_blob_client("b", snapshot=client.create_snapshot())
    for held in [client, snapshot]:
        held.set_legal_hold(True)
        raises(HttpResponseError, here.delete_container, code="ContainerImmutableStorageWithVersioningEnabled")
        held.set_legal_hold(False)
    until = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=2)
    policy = ImmutabilityPolicy(expiry_time=until, policy_mode=BlobImmutabilityPolicyMode.Locked)
    client.set_immutability_policy(policy)
    end = time.monotonic() + 60
    while True:
        try:
            here.delete_container()
            break
        except HttpResponseError as error:
            assert error.error_code == "ContainerImmutableStorageWithVersioningEnabled", error
        assert time.monotonic() < end, "the policy never ended"
        time.sleep(0.2)
    assert datetime.now(timezone.utc) >= until
    assert not here.exists()


def test_tags_are_counted_and_decide_what_is_done():
    client = blob(tags={"colour": "blue", "a b": "1+2/3"})
    assert client.get_blob_properties().tag_count == 2
    both = "\"colour\" = 'blue' AND \"a b\" <> 'x'"
    assert client.download_blob(if_tags_match_condition=both).readall() == b"first"
    raises(HttpResponseError, client.download_blob, if_tags_match_condition="colour > 'green'", code="ConditionNotMet")
    raises(
        ResourceModifiedError, client.delete_blob, if_tags_match_condition="colour = 'red'", code="ConditionNotMet"
    )
    raises(HttpResponseError, client.download_blob, if_tags_match_condition="colour", code="InvalidHeaderValue")
    client.upload_blob(b"second", overwrite=True, if_tags_match_condition=both)
    assert client.get_blob_properties().tag_count is None
    etag = client.get_blob_properties().etag
    client.delete_blob(etag=etag, match_condition=MatchConditions.IfNotModified)


def test_the_clients_without_waiting_do_the_same():
    async def all_of_it():
        service = AsyncBlobServiceClient.from_connection_string(runner.connection_string())
        async with service:
            client = (await service.create_container(unique("protect"))).get_blob_client("b")
            await client.upload_blob(b"first")
            lease = await client.acquire_lease(lease_duration=15)
            snapshot = (await client.create_snapshot())["snapshot"]
            await client.upload_blob(b"second", overwrite=True, lease=lease)
            await lease.release()
            past = service.get_blob_client(client.container_name, "b", snapshot=snapshot)
            assert await (await past.download_blob()).readall() == b"first"
            await client.set_standard_blob_tier("Cool")
            assert (await client.get_blob_properties()).blob_tier == "Cool"
            await client.delete_blob(delete_snapshots="include")
            assert not await client.exists()

    asyncio.run(all_of_it())


if __name__ == "__main__":
    runner.main(sys.modules[__name__])
