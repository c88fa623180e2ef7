// What keeps a blob from being changed or lost, through the official JavaScript client: leases, snapshots, soft
// deletion, tiers, immutability, conditions on tags.

import { strict as assert } from "node:assert";

import { blobs, connectionString, fails, main, unique } from "./runner.mjs";

const service = blobs.BlobServiceClient.fromConnectionString(connectionString());

async function container() {
  const client = service.getContainerClient(unique("protect"));
  await client.create();
  return client;
}

async function blob(options) {
  const client = (await container()).getBlockBlobClient("b");
  await client.upload("first", 5, options);
  return client;
}

const text = async (client) => (await client.downloadToBuffer()).toString();

main({
  async "a leased blob is written by its holder only"() {
    const client = await blob();
    const lease = client.getBlobLeaseClient();
    const { leaseId } = await lease.acquireLease(20);
    assert.equal(leaseId, lease.leaseId);
    await fails(() => client.upload("other", 5), 412, "LeaseIdMissing");
    await client.upload("other", 5, { conditions: { leaseId } });
    await lease.changeLease("11111111-1111-1111-1111-111111111111");
    await lease.renewLease();
    const properties = await client.getProperties();
    assert.deepEqual(
      [properties.leaseStatus, properties.leaseState, properties.leaseDuration],
      ["locked", "leased", "fixed"],
    );
    await lease.releaseLease();
    await client.upload("again", 5);
    assert.equal(await text(client), "again");
    await fails(() => lease.breakLease(0), 409, "LeaseNotPresentWithLeaseOperation");
  },

  async "a leased container is deleted by its holder only"() {
    const client = await container();
    const lease = client.getBlobLeaseClient();
    await lease.acquireLease(-1);
    assert.equal((await client.getProperties()).leaseDuration, "infinite");
    await fails(() => client.delete(), 412, "LeaseIdMissing");
    assert.equal((await lease.breakLease(30)).leaseTime, 30);
    assert.equal((await client.getProperties()).leaseState, "breaking");
    await client.delete({ conditions: { leaseId: lease.leaseId } });
  },

  async "a snapshot stays what the blob was"() {
    const client = await blob({ metadata: { k: "v" } });
    const { snapshot, etag } = await client.createSnapshot();
    assert.equal(etag, (await client.getProperties()).etag);
    await client.upload("second", 6);
    const past = client.withSnapshot(snapshot);
    assert.equal(await text(past), "first");
    assert.deepEqual((await past.getProperties()).metadata, { k: "v" });
    await fails(() => client.delete(), 409, "SnapshotsPresent");
    await client.delete({ deleteSnapshots: "include" });
    await fails(() => past.getProperties(), 404);
  },

  async "a deleted blob comes back while it is kept"() {
    await service.setProperties({ deleteRetentionPolicy: { enabled: true, days: 2 } });
    try {
      const client = await blob();
      await client.delete();
      assert.equal(await client.exists(), false);
      await client.undelete();
      assert.equal(await text(client), "first");
    } finally {
      await service.setProperties({ deleteRetentionPolicy: { enabled: false } });
    }
  },

  async "tiers are told and the archive is not read"() {
    const client = await blob({ tier: "Cool" });
    assert.equal((await client.getProperties()).accessTier, "Cool");
    await client.setAccessTier("Archive");
    await fails(() => client.downloadToBuffer(), 409, "BlobArchived");
    await client.setAccessTier("Cold", { rehydratePriority: "Standard" });
    const properties = await client.getProperties();
    assert.deepEqual(
      [properties.accessTier, properties.archiveStatus, properties.rehydratePriority],
      ["Archive", "rehydrate-pending-to-cold", "Standard"],
    );
    await fails(() => client.setAccessTier("Hot"), 409, "BlobBeingRehydrated");
  },

  async "a policy and a hold keep a blob as it is"() {
    const client = await blob();
    const expiriesOn = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000);
    await client.setImmutabilityPolicy({ expiriesOn, policyMode: "Unlocked" });
    const properties = await client.getProperties();
    assert.equal(properties.immutabilityPolicyExpiresOn.getTime(), expiriesOn.getTime());
    await fails(() => client.delete(), 409, "BlobImmutableDueToPolicy");
    await client.deleteImmutabilityPolicy();
    await client.setLegalHold(true);
    await fails(() => client.upload("x", 1), 409, "BlobImmutableDueToLegalHold");
    await client.setLegalHold(false);
    await client.delete();
  },

  async "tags decide what is done"() {
    const client = await blob({ tags: { colour: "blue" } });
    assert.equal((await client.getProperties()).tagCount, 1);
    const conditions = { tagConditions: "\"colour\" = 'red'" };
    await fails(() => client.upload("other", 5, { conditions }), 412, "ConditionNotMet");
    await client.upload("other", 5, { conditions: { tagConditions: "\"colour\" >= 'blue'" } });
    assert.equal(await text(client), "other");
  },
});
