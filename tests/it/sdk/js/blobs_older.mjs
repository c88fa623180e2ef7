// Containers and blobs through `azure-storage`, the JavaScript client before the present one, which speaks 2018-03-28.
//
// It asks for metadata by operations that its successor has no more, and makes signatures of that version.

import { strict as assert } from "node:assert";

import { callsOf, older } from "./older.mjs";
import { connectionString, main, unique } from "./runner.mjs";

const service = older.createBlobService(connectionString());
const { call, refused } = callsOf(service);

async function container(options = {}) {
  const name = unique("c");
  await call("createContainer", name, options);
  return name;
}

await main({
  async "metadata of a container is asked for by itself"() {
    const name = await container({ metadata: { color: "red" } });
    assert.deepEqual((await call("getContainerMetadata", name)).metadata, { color: "red" });
    await call("setContainerMetadata", name, { color: "blue", size: "1" });
    assert.deepEqual((await call("getContainerMetadata", name)).metadata, { color: "blue", size: "1" });
    await call("deleteContainer", name);
    await refused(404, "NotFound", "getContainerMetadata", name);
  },
  async "metadata of a blob and of its snapshot are asked for by themselves"() {
    const name = await container();
    await call("createBlockBlobFromText", name, "b", "text", { metadata: { color: "red" } });
    const snapshot = await call("createBlobSnapshot", name, "b");
    await call("setBlobMetadata", name, "b", { color: "blue" });
    assert.deepEqual((await call("getBlobMetadata", name, "b")).metadata, { color: "blue" });
    const past = await call("getBlobMetadata", name, "b", { snapshotId: snapshot });
    assert.deepEqual(past.metadata, { color: "red" });
    assert.equal(await call("getBlobToText", name, "b"), "text");
  },
  async "text bytes pages and appended blocks come back"() {
    const name = await container();
    const large = Buffer.alloc(5_000_000, "five million bytes ");
    await call("createBlockBlobFromText", name, "block", large, { parallelOperationThreadCount: 2 });
    assert.equal(await call("getBlobToText", name, "block"), large.toString());
    await call("createAppendBlobFromText", name, "append", "one ");
    await call("appendFromText", name, "append", "two");
    assert.equal(await call("getBlobToText", name, "append"), "one two");
    await call("createPageBlob", name, "page", 4096);
    const properties = await call("getBlobProperties", name, "page");
    assert.deepEqual([properties.blobType, properties.contentLength], ["PageBlob", "4096"]);
    const found = await call("listBlobsSegmented", name, null);
    const kinds = found.entries.map((entry) => [entry.name, entry.blobType]);
    assert.deepEqual(kinds, [["append", "AppendBlob"], ["block", "BlockBlob"], ["page", "PageBlob"]]);
  },
  async "a lease of a container is changed and given back"() {
    const name = await container();
    const lease = await call("acquireLease", name, null, { leaseDuration: 60 });
    const wanted = "33333333-3333-3333-3333-333333333333";
    assert.equal((await call("changeLease", name, null, lease.id, wanted)).id, wanted);
    await refused(412, "LeaseIdMissing", "deleteContainer", name);
    await refused(409, "LeaseIdMismatchWithLeaseOperation", "renewLease", name, null, lease.id);
    await call("renewLease", name, null, wanted);
    await call("releaseLease", name, null, wanted);
    await call("deleteContainer", name);
  },
  async "a signature of that time lets a client read and not write"() {
    const name = await container();
    await call("createBlockBlobFromText", name, "b", "text");
    const expiry = new Date(Date.now() + 3_600_000);
    const policy = { AccessPolicy: { Permissions: "r", Expiry: expiry } };
    const token = service.generateSharedAccessSignature(name, "b", policy);
    const guest = callsOf(older.createBlobServiceWithSas(service.host, token));
    assert.equal(await guest.call("getBlobToText", name, "b"), "text");
    const write = guest.call("createBlockBlobFromText", name, "b", "other");
    await assert.rejects(write, (error) => error.statusCode === 403);
    assert.equal(await call("getBlobToText", name, "b"), "text");
  },
});
