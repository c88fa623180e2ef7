// What the three services share: settings, statistics, account information and access policies, through the
// official JavaScript clients.

import { strict as assert } from "node:assert";

import { blobs, connectionString, fails, main, queues, tables, unique } from "./runner.mjs";

const text = connectionString();
const options = { allowInsecureConnection: true };
const blobService = blobs.BlobServiceClient.fromConnectionString(text);
const queueService = queues.QueueServiceClient.fromConnectionString(text);
const tableService = tables.TableServiceClient.fromConnectionString(text, options);

const endpoint = (service) => text.match(new RegExp(`${service}Endpoint=([^;]+)`))[1].replace(/\/$/, "");
const account = text.match(/AccountName=([^;]+)/)[1];
const key = text.match(/AccountKey=([^;]+)/)[1];

const startsOn = new Date(Date.UTC(2026, 0, 2, 3, 4, 5));
const expiresOn = new Date(Date.UTC(2026, 0, 3, 3, 4, 5));

// Sets, changes one thing, reads everything, and clears the rules.
async function roundTrip(service) {
  const retentionPolicy = { enabled: true, days: 4 };
  const rule = {
    allowedOrigins: "http://one.example",
    allowedMethods: "GET,PUT",
    allowedHeaders: "x-ms-*",
    exposedHeaders: "etag",
    maxAgeInSeconds: 9,
  };
  const logging = { version: "1.0", delete: true, deleteProperty: true, read: true, write: false, retentionPolicy };
  const hourMetrics = { version: "1.0", enabled: true, includeAPIs: true, retentionPolicy };
  await service.setProperties({ blobAnalyticsLogging: logging, queueAnalyticsLogging: logging, logging, hourMetrics, cors: [rule] });
  const minuteMetrics = { version: "1.0", enabled: true, includeAPIs: false, retentionPolicy: { enabled: false } };
  await service.setProperties({ minuteMetrics });
  const kept = await service.getProperties();
  assert.equal(kept.hourMetrics.retentionPolicy.days, 4);
  assert.equal(kept.hourMetrics.includeAPIs ?? kept.hourMetrics.includeApis, true);
  assert.equal(kept.minuteMetrics.enabled, true);
  assert.equal(kept.cors.length, 1);
  for (const [name, value] of Object.entries(rule)) {
    assert.equal(kept.cors[0][name], value, name);
  }
  await service.setProperties({ cors: [] });
  const cleared = await service.getProperties();
  assert.equal((cleared.cors ?? []).length, 0);
  assert.equal(cleared.hourMetrics.enabled, true);
  await fails(() => service.setProperties({ cors: Array(6).fill(rule) }), 400, "InvalidXmlDocument");
}

await main({
  async "settings of blobs come back"() {
    await roundTrip(blobService);
    await blobService.setProperties({
      defaultServiceVersion: "2020-10-02",
      deleteRetentionPolicy: { enabled: true, days: 2 },
      staticWebsite: { enabled: true, defaultIndexDocumentPath: "a/index.html" },
    });
    const kept = await blobService.getProperties();
    assert.equal(kept.defaultServiceVersion, "2020-10-02");
    assert.deepEqual([kept.deleteRetentionPolicy.enabled, kept.deleteRetentionPolicy.days], [true, 2]);
    assert.equal(kept.staticWebsite.defaultIndexDocumentPath, "a/index.html");
    await blobService.setProperties({ deleteRetentionPolicy: { enabled: false }, staticWebsite: { enabled: false } });
    assert.equal((await blobService.getProperties()).staticWebsite.enabled, false);
  },

  async "what was read can be set again"() {
    for (const service of [blobService, queueService, tableService]) {
      const { cors, ...kept } = await service.getProperties();
      await service.setProperties({ ...kept, cors: cors ?? [] });
      const again = await service.getProperties();
      assert.deepEqual(again.hourMetrics, kept.hourMetrics);
    }
  },

  async "settings of queues come back"() {
    await roundTrip(queueService);
  },

  async "settings of tables come back"() {
    await roundTrip(tableService);
  },

  async "statistics come from the secondary address"() {
    const second = (service) => `${endpoint(service)}-secondary`;
    const services = [
      new blobs.BlobServiceClient(second("Blob"), new blobs.StorageSharedKeyCredential(account, key)),
      new queues.QueueServiceClient(second("Queue"), new queues.StorageSharedKeyCredential(account, key)),
      new tables.TableServiceClient(second("Table"), new tables.AzureNamedKeyCredential(account, key), options),
    ];
    for (const service of services) {
      let geoReplication;
      let document;
      ({ geoReplication } = await service.getStatistics({ onResponse: (raw) => { document = raw.bodyAsText; } }));
      if (service instanceof queues.QueueServiceClient) {
        // This client looks for a root element of another name than the documented one, and so finds nothing.
        assert.match(document, /<StorageServiceStats><GeoReplication><Status>live<\/Status>/);
        continue;
      }
      assert.equal(geoReplication.status, "live");
      assert.ok(Math.abs((geoReplication.lastSyncOn ?? geoReplication.lastSyncTime) - Date.now()) < 60_000);
    }
    await fails(() => blobService.getStatistics(), 400, "InvalidQueryParameterValue");
    await fails(() => services[0].createContainer(unique("c")), 403, "InsufficientAccountPermissions");
  },

  async "the account tells what it is"() {
    const information = await blobService.getAccountInfo();
    assert.equal(information.accountKind, "StorageV2");
    assert.equal(information.skuName, "Standard_RAGRS");
    assert.equal(information.isHierarchicalNamespaceEnabled, false);
  },

  async "policies and access of a container come back"() {
    const container = blobService.getContainerClient(unique("acl"));
    await container.create({ access: "blob" });
    assert.equal((await container.getProperties()).blobPublicAccess, "blob");
    const accessPolicy = { startsOn, expiresOn, permissions: "rl" };
    await container.setAccessPolicy("container", [{ id: "one", accessPolicy }]);
    const found = await container.getAccessPolicy();
    assert.equal(found.blobPublicAccess, "container");
    assert.deepEqual(found.signedIdentifiers, [{ id: "one", accessPolicy }]);
    await container.setAccessPolicy();
    const cleared = await container.getAccessPolicy();
    assert.deepEqual([cleared.blobPublicAccess, cleared.signedIdentifiers], [undefined, []]);
  },

  async "policies of a queue come back"() {
    const queue = queueService.getQueueClient(unique("acl"));
    await queue.create();
    const accessPolicy = { startsOn, expiresOn, permissions: "raup" };
    await queue.setAccessPolicy([{ id: "one", accessPolicy }]);
    assert.deepEqual((await queue.getAccessPolicy()).signedIdentifiers, [{ id: "one", accessPolicy }]);
    await queue.setAccessPolicy([]);
    assert.deepEqual((await queue.getAccessPolicy()).signedIdentifiers, []);
  },

  async "policies of a table come back"() {
    const table = tables.TableClient.fromConnectionString(text, unique("acl"), options);
    await table.createTable();
    await table.setAccessPolicy([{ id: "one", accessPolicy: { start: startsOn, expiry: expiresOn, permission: "raud" } }]);
    const [found] = await table.getAccessPolicy();
    assert.equal(found.id, "one");
    assert.equal(found.accessPolicy.permission, "raud");
    assert.equal(+found.accessPolicy.start, +startsOn);
  },
});
