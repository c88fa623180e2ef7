// Copies through the official JavaScript client: within the server and from a second one, which is given by
// LINARITE_OTHER_CONNECTION_STRING. The first one has to allow private sources.

import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";

import { blobs, connectionString, fails, main, unique } from "./runner.mjs";

const service = blobs.BlobServiceClient.fromConnectionString(connectionString());
const other = blobs.BlobServiceClient.fromConnectionString(process.env.LINARITE_OTHER_CONNECTION_STRING);
const content = randomBytes(10_000);

async function container(of = service) {
  const { containerClient } = await of.createContainer(unique("c"));
  return containerClient;
}

async function source(of = service) {
  const blob = (await container(of)).getBlockBlobClient("source");
  await blob.upload(content, content.length, {
    metadata: { color: "red" },
    blobHTTPHeaders: { blobContentType: "text/plain" },
  });
  const expiresOn = new Date(Date.now() + 3_600_000);
  const url = await blob.generateSasUrl({ permissions: blobs.BlobSASPermissions.parse("r"), expiresOn });
  return { blob, url };
}

const copies = {
  async "a copy is begun and waited for"() {
    for (const [of, status] of [
      [service, "success"],
      [other, "pending"],
    ]) {
      const { url } = await source(of);
      const copy = (await container()).getBlobClient("copy");
      const poller = await copy.beginCopyFromURL(url, { intervalInMs: 50 });
      assert.equal((await poller.pollUntilDone()).copyStatus, "success");
      const properties = await copy.getProperties();
      assert.equal(properties.copyProgress, "10000/10000");
      assert.deepEqual([properties.contentType, properties.metadata.color], ["text/plain", "red"], status);
      assert.deepEqual(await copy.downloadToBuffer(), content);
    }
  },

  async "a copy is done when it is answered"() {
    for (const of of [service, other]) {
      const { url } = await source(of);
      const place = await container();
      const copy = place.getBlockBlobClient("copy");
      assert.equal((await copy.syncCopyFromURL(url)).copyStatus, "success");
      assert.deepEqual(await copy.downloadToBuffer(), content);
      const uploaded = place.getBlockBlobClient("uploaded");
      await uploaded.syncUploadFromURL(url);
      assert.deepEqual(await uploaded.downloadToBuffer(), content);
      await copy.stageBlockFromURL("AAAA", url, 5, 10);
      await copy.commitBlockList(["AAAA"]);
      assert.deepEqual(await copy.downloadToBuffer(), content.subarray(5, 15));
      const log = place.getAppendBlobClient("log");
      await log.create();
      await log.appendBlockFromURL(url, 0, 100);
      assert.deepEqual(await log.downloadToBuffer(), content.subarray(0, 100));
      const disk = place.getPageBlobClient("disk");
      await disk.create(1024);
      await disk.uploadPagesFromURL(url, 7, 512, 512);
      assert.deepEqual(await disk.downloadToBuffer(512, 512), content.subarray(7, 519));
    }
  },

  async "a disk is followed by incremental copies"() {
    const place = await container();
    const disk = place.getPageBlobClient("disk");
    await disk.create(1024);
    await disk.uploadPages(Buffer.alloc(512, "a"), 0, 512);
    const copy = place.getPageBlobClient("copy");
    const seen = [];
    for (const letter of ["b", "c"]) {
      const { snapshot } = await disk.createSnapshot();
      const url = disk.withSnapshot(snapshot).url;
      assert.equal((await copy.startCopyIncremental(url)).copyStatus, "pending");
      let properties;
      do {
        await new Promise((go) => setTimeout(go, 50));
        properties = await copy.getProperties();
      } while (properties.copyStatus === "pending");
      assert.equal(properties.copyStatus, "success");
      assert.ok(properties.isIncrementalCopy);
      seen.push(properties.destinationSnapshot);
      assert.deepEqual(await copy.withSnapshot(properties.destinationSnapshot).downloadToBuffer(), await disk.downloadToBuffer());
      await fails(() => copy.startCopyIncremental(url), 409, "IncrementalCopyOfEarlierSnapshotNotAllowed");
      await disk.uploadPages(Buffer.alloc(512, letter), 512, 512);
    }
    const { pageRange } = await copy.withSnapshot(seen[1]).getPageRangesDiff(0, 1024, seen[0]);
    // The client takes the distance to the last byte for the number of bytes.
    assert.deepEqual(pageRange, [{ offset: 512, count: 511 }]);
    await fails(() => copy.startCopyIncremental(disk.url), 409, "IncrementalCopySourceMustBeSnapshot");
    await fails(() => copy.uploadPages(Buffer.alloc(512), 0, 512), 409, "OperationNotAllowedOnIncrementalCopyBlob");
  },

  async "a copy has the blocks of its source"() {
    const place = await container();
    const blob = place.getBlockBlobClient("blob");
    for (const id of ["AAAA", "BBBB"]) await blob.stageBlock(id, id, id.length);
    await blob.commitBlockList(["BBBB", "AAAA"]);
    const copy = place.getBlockBlobClient("copy");
    await (await copy.beginCopyFromURL(blob.url, { intervalInMs: 50 })).pollUntilDone();
    const { committedBlocks } = await copy.getBlockList("committed");
    assert.deepEqual(committedBlocks.map(({ name }) => name), ["BBBB", "AAAA"]);
  },

  async "a source without a right is refused"() {
    const { blob } = await source(other);
    const copy = (await container()).getBlockBlobClient("copy");
    await fails(() => copy.syncCopyFromURL(blob.url), 401, "CannotVerifyCopySource");
    await fails(() => copy.getProperties(), 404, "BlobNotFound");
    await fails(() => copy.syncUploadFromURL("http://169.254.169.254/"), 403, "CannotVerifyCopySource");
  },
};

await main(copies);
