// What one client writes another reads: the JavaScript side. The rule is in ../python/handover.py.

import { strict as assert } from "node:assert";

import { blobs, collect, connectionString, handoverContent } from "./runner.mjs";

const SIZES = [0, 1, 63, 64, 65, 4096, 100_000, 5_000_000];
const [, , command, name, writer] = process.argv;
const container = blobs.BlobServiceClient.fromConnectionString(connectionString()).getContainerClient(name);

async function write() {
  await container.createIfNotExists();
  for (const [number, size] of SIZES.entries()) {
    const blob = `javascript/${size}/${number}`;
    const limits = { blockSize: 1 << 20, maxSingleShotSize: 1 << 20, metadata: { writer: "javascript" } };
    await container.getBlockBlobClient(blob).uploadData(handoverContent(blob, size), limits);
  }
}

async function check() {
  const found = await collect(container.listBlobsFlat({ prefix: `${writer}/`, includeMetadata: true }));
  assert.equal(found.length, SIZES.length);
  for (const blob of found) {
    const size = Number(blob.name.split("/")[1]);
    assert.equal(blob.properties.contentLength, size, blob.name);
    assert.deepEqual(blob.metadata, { writer }, blob.name);
    if (size > 0) {
      const content = await container.getBlobClient(blob.name).downloadToBuffer();
      assert.ok(content.equals(handoverContent(blob.name, size)), blob.name);
    }
  }
}

await (command === "write" ? write() : check());
console.log("1 passed, 0 failed");
