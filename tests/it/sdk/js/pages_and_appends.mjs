// Append blobs and page blobs through the official JavaScript client, with their bytes compared.

import { strict as assert } from "node:assert";
import { createHash, randomBytes } from "node:crypto";

import { blobs, connectionString, fails, main, unique } from "./runner.mjs";

const service = blobs.BlobServiceClient.fromConnectionString(connectionString());
const PAGE = 512;

async function appendable(options) {
  const { containerClient } = await service.createContainer(unique("c"));
  const blob = containerClient.getAppendBlobClient("blob");
  await blob.create(options);
  return blob;
}

async function disk(pages, options) {
  const { containerClient } = await service.createContainer(unique("c"));
  const blob = containerClient.getPageBlobClient("blob");
  await blob.create(pages * PAGE, options);
  return blob;
}

const md5 = (body) => createHash("md5").update(body).digest();
const pairs = (found) => (found ?? []).map(({ offset, count }) => [offset / PAGE, count / PAGE]);

const appends = {
  async "blocks are appended in order"() {
    const blob = await appendable({ blobHTTPHeaders: { blobContentType: "text/plain" } });
    let expected = Buffer.alloc(0);
    for (let number = 0; number < 10; number += 1) {
      const part = randomBytes(1 + number * 5003);
      const told = await blob.appendBlock(part, part.length, { transactionalContentMD5: md5(part) });
      assert.equal(told.blobAppendOffset, String(expected.length));
      assert.equal(told.blobCommittedBlockCount, number + 1);
      expected = Buffer.concat([expected, part]);
    }
    assert.deepEqual(await blob.downloadToBuffer(), expected);
    const properties = await blob.getProperties();
    assert.equal(properties.blobType, "AppendBlob");
    assert.equal(properties.blobCommittedBlockCount, 10);
    assert.equal(properties.contentType, "text/plain");
  },

  async "conditions on position and size are obeyed"() {
    const blob = await appendable();
    await blob.appendBlock("123", 3, { conditions: { appendPosition: 0, maxSize: 3 } });
    const late = () => blob.appendBlock("4", 1, { conditions: { appendPosition: 1 } });
    await fails(late, 412, "AppendPositionConditionNotMet");
    const long = () => blob.appendBlock("4", 1, { conditions: { maxSize: 3 } });
    await fails(long, 412, "MaxBlobSizeConditionNotMet");
    const wrong = () => blob.appendBlock("4", 1, { transactionalContentMD5: md5("5") });
    await fails(wrong, 400, "Md5Mismatch");
    assert.equal((await blob.downloadToBuffer()).toString(), "123");
  },

  async "a sealed blob takes no more"() {
    const blob = await appendable();
    await blob.appendBlock("all", 3);
    assert.equal((await blob.seal()).isSealed, true);
    await fails(() => blob.appendBlock("x", 1), 409, "BlobIsSealed");
    assert.equal((await blob.getProperties()).isSealed, true);
    assert.equal((await blob.downloadToBuffer()).toString(), "all");
  },
};

const pages = {
  async "pages are written and cleared anywhere"() {
    const blob = await disk(32, { blobSequenceNumber: 4 });
    const model = Buffer.alloc(32 * PAGE);
    for (const [first, count] of [[0, 2], [10, 4], [31, 1]]) {
      const content = randomBytes(count * PAGE);
      const told = await blob.uploadPages(content, first * PAGE, count * PAGE, {
        transactionalContentMD5: md5(content),
      });
      assert.equal(told.blobSequenceNumber, 4);
      content.copy(model, first * PAGE);
    }
    await blob.clearPages(11 * PAGE, 2 * PAGE);
    model.fill(0, 11 * PAGE, 13 * PAGE);
    assert.deepEqual(await blob.downloadToBuffer(), model);
    assert.deepEqual(await blob.downloadToBuffer(700, 9999), model.subarray(700, 10699));
    const listed = await blob.getPageRanges();
    assert.deepEqual(pairs(listed.pageRange), [[0, 2], [10, 1], [13, 1], [31, 1]]);
    const found = [];
    for await (const part of blob.listPageRanges(0, 32 * PAGE).byPage({ maxPageSize: 3 })) {
      found.push((part.pageRange ?? []).length);
    }
    assert.deepEqual(found, [3, 1]);
    const long = () => blob.uploadPages(Buffer.alloc(PAGE), 32 * PAGE, PAGE);
    await fails(long, 416, "InvalidPageRange");
  },

  async "length and sequence number are properties"() {
    const blob = await disk(4);
    const content = randomBytes(4 * PAGE);
    await blob.uploadPages(content, 0, content.length);
    await blob.resize(PAGE);
    assert.deepEqual(await blob.downloadToBuffer(), content.subarray(0, PAGE));
    await blob.resize(2 * PAGE);
    assert.deepEqual(await blob.downloadToBuffer(PAGE, PAGE), Buffer.alloc(PAGE));
    assert.equal((await blob.updateSequenceNumber("update", 7)).blobSequenceNumber, 7);
    assert.equal((await blob.updateSequenceNumber("increment")).blobSequenceNumber, 8);
    const guarded = () =>
      blob.uploadPages(content.subarray(0, PAGE), 0, PAGE, { conditions: { ifSequenceNumberLessThan: 8 } });
    await fails(guarded, 412, "SequenceNumberConditionNotMet");
    await blob.uploadPages(content.subarray(PAGE, 2 * PAGE), 0, PAGE, {
      conditions: { ifSequenceNumberEqualTo: 8 },
    });
    assert.deepEqual(await blob.downloadToBuffer(0, PAGE), content.subarray(PAGE, 2 * PAGE));
  },

  async "a snapshot tells what has changed since"() {
    const blob = await disk(16);
    const content = randomBytes(4 * PAGE);
    await blob.uploadPages(content, 0, content.length);
    const { snapshot } = await blob.createSnapshot();
    await blob.uploadPages(content.subarray(0, PAGE), 8 * PAGE, PAGE);
    await blob.clearPages(PAGE, PAGE);
    const diff = await blob.getPageRangesDiff(0, 16 * PAGE, snapshot);
    assert.deepEqual(pairs(diff.pageRange), [[8, 1]]);
    assert.deepEqual(pairs(diff.clearRange), [[1, 1]]);
    const parts = [];
    for await (const range of blob.listPageRangesDiff(0, 16 * PAGE, snapshot)) {
      parts.push([range.start / PAGE, range.isClear]);
    }
    assert.deepEqual(parts.sort(), [[1, true], [8, false]].sort());
    const old = await blob.withSnapshot(snapshot).downloadToBuffer();
    assert.deepEqual(old, Buffer.concat([content, Buffer.alloc(12 * PAGE)]));
    const unknown = () => blob.getPageRangesDiff(0, 16 * PAGE, "2020-01-02T03:04:05.1234567Z");
    await fails(unknown, 409, "PreviousSnapshotNotFound");
  },
};

await main({ ...appends, ...pages });
