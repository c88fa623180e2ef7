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

  async "a source without a right is refused"() {
    const { blob } = await source(other);
    const copy = (await container()).getBlockBlobClient("copy");
    await fails(() => copy.syncCopyFromURL(blob.url), 401, "CannotVerifyCopySource");
    await fails(() => copy.getProperties(), 404, "BlobNotFound");
    await fails(() => copy.syncUploadFromURL("http://169.254.169.254/"), 403, "CannotVerifyCopySource");
  },
};

await main(copies);
