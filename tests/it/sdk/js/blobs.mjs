// Every container and blob operation of the first services, through the official JavaScript client.

import { strict as assert } from "node:assert";
import { createHash, randomBytes } from "node:crypto";

import { blobs, collect, connectionString, fails, main, unique } from "./runner.mjs";

const service = blobs.BlobServiceClient.fromConnectionString(connectionString());

async function container() {
  const { containerClient } = await service.createContainer(unique("c"));
  return containerClient;
}

function blockId(number) {
  return Buffer.from(String(number).padStart(8, "0")).toString("base64");
}

async function text(blob, ...range) {
  return (await blob.downloadToBuffer(...range)).toString();
}

const md5 = (body) => createHash("md5").update(body).digest();

const containers = {
  async "a container is created once"() {
    const client = service.getContainerClient(unique("c"));
    await client.create({ metadata: { colour: "blue" } });
    await fails(() => client.create(), 409, "ContainerAlreadyExists");
    assert.equal((await client.createIfNotExists()).succeeded, false);
    const properties = await client.getProperties();
    assert.deepEqual(properties.metadata, { colour: "blue" });
    assert.equal(properties.leaseState, "available");
    assert.match(properties.etag, /^".+"$/);
  },

  async "container metadata is replaced as a whole"() {
    const client = await container();
    const { etag } = await client.getProperties();
    await client.setMetadata({ one: "1", two: "2" });
    await client.setMetadata({ three: "3" });
    const properties = await client.getProperties();
    assert.deepEqual(properties.metadata, { three: "3" });
    assert.notEqual(properties.etag, etag);
  },

  async "a deleted container is gone"() {
    const client = await container();
    await client.delete();
    await fails(() => client.getProperties(), 404, "ContainerNotFound");
    await fails(() => client.delete(), 404, "ContainerNotFound");
    await fails(() => client.getBlockBlobClient("b").upload("x", 1), 404, "ContainerNotFound");
    assert.equal(await client.exists(), false);
    assert.equal((await client.deleteIfExists()).succeeded, false);
  },

  async "containers are listed by prefix and page"() {
    const prefix = unique("list");
    const names = [0, 1, 2, 3, 4].map((number) => `${prefix}-${number}`);
    for (const name of names) {
      await service.createContainer(name, { metadata: { name } });
    }
    const pages = await collect(service.listContainers({ prefix, includeMetadata: true }).byPage({ maxPageSize: 2 }));
    assert.deepEqual(pages.map((page) => page.containerItems.length), [2, 2, 1]);
    const found = pages.flatMap((page) => page.containerItems);
    assert.deepEqual(found.map((item) => item.name), names);
    assert.ok(found.every((item) => item.metadata.name === item.name));
  },

  async "a wrong container name is refused"() {
    await fails(() => service.createContainer("Not-A-Name"), 400);
  },
};

const content = {
  async "a blob comes back with everything it was given"() {
    const client = await container();
    const body = randomBytes(70_000);
    const blob = client.getBlockBlobClient("folder/with space & ümläut+plus%percent.txt");
    const blobHTTPHeaders = {
      blobContentType: "text/x-test",
      blobContentEncoding: "identity",
      blobContentLanguage: "de",
      blobContentDisposition: "attachment",
      blobCacheControl: "no-store",
    };
    const answer = await blob.upload(body, body.length, { blobHTTPHeaders, metadata: { colour: "blue" } });
    assert.deepEqual(Buffer.from(answer.contentMD5), md5(body));
    const properties = await blob.getProperties();
    assert.equal(properties.contentLength, body.length);
    assert.equal(properties.etag, answer.etag);
    assert.deepEqual(properties.metadata, { colour: "blue" });
    assert.equal(properties.contentType, "text/x-test");
    assert.equal(properties.contentEncoding, "identity");
    assert.equal(properties.contentLanguage, "de");
    assert.equal(properties.contentDisposition, "attachment");
    assert.equal(properties.cacheControl, "no-store");
    assert.equal(properties.blobType, "BlockBlob");
    assert.equal(properties.acceptRanges, "bytes");
    assert.deepEqual(Buffer.from(properties.contentMD5), md5(body));
    assert.ok((await blob.downloadToBuffer()).equals(body));
    assert.deepEqual((await collect(client.listBlobsFlat())).map((item) => item.name), [blob.name]);
  },

  async "an empty blob is a blob"() {
    const client = await container();
    const blob = client.getBlockBlobClient("empty");
    await blob.upload("", 0);
    assert.equal((await blob.getProperties()).contentLength, 0);
    const download = await blob.download();
    assert.equal((await collect(download.readableStreamBody)).length, 0);
  },

  async "ranges are cut at the end and refused beyond it"() {
    const client = await container();
    const blob = client.getBlockBlobClient("b");
    await blob.upload("0123456789", 10);
    const part = await blob.download(2, 3);
    assert.equal(part.contentRange, "bytes 2-4/10");
    assert.equal(part._response.status, 206);
    assert.equal((await collect(part.readableStreamBody)).join(""), "234");
    assert.equal((await collect((await blob.download(8, 100)).readableStreamBody)).join(""), "89");
    assert.equal((await collect((await blob.download(8)).readableStreamBody)).join(""), "89");
    await fails(() => blob.download(10, 1), 416, "InvalidRange");
    const checked = await blob.download(2, 3, { rangeGetContentMD5: true });
    assert.deepEqual(Buffer.from(checked.contentMD5), md5("234"));
    assert.deepEqual(Buffer.from(checked.blobContentMD5), md5("0123456789"));
  },

  async "a big blob goes up in blocks and comes down in ranges"() {
    const client = await container();
    const body = randomBytes(5_000_000);
    const blob = client.getBlockBlobClient("b");
    await blob.uploadData(body, { blockSize: 1 << 20, maxSingleShotSize: 1 << 20, concurrency: 4 });
    const found = await blob.downloadToBuffer(0, undefined, { blockSize: 700_000, concurrency: 4 });
    assert.ok(found.equals(body));
    const list = await blob.getBlockList("all");
    assert.equal(list.committedBlocks.length, 5);
    assert.equal(list.committedBlocks.reduce((sum, block) => sum + block.size, 0), body.length);
  },

  async "transactional checksums are verified"() {
    const client = await container();
    const blob = client.getBlockBlobClient("b");
    await blob.stageBlock(blockId(0), "block", 5, { transactionalContentMD5: md5("block") });
    await fails(() => blob.stageBlock(blockId(1), "block", 5, { transactionalContentMD5: md5("other") }), 400, "Md5Mismatch");
    const right = Buffer.from("iJh5CoYUi64=", "base64");
    await blob.stageBlock(blockId(2), "123456789", 9, { transactionalContentCrc64: right });
    await fails(() => blob.stageBlock(blockId(3), "12345678x", 9, { transactionalContentCrc64: right }), 400, "Crc64Mismatch");
    const { uncommittedBlocks } = await blob.getBlockList("uncommitted");
    assert.deepEqual(uncommittedBlocks.map((block) => block.name), [blockId(0), blockId(2)]);
  },

  async "a missing blob is not found"() {
    const client = await container();
    const blob = client.getBlockBlobClient("b");
    await fails(() => blob.download(), 404, "BlobNotFound");
    await fails(() => blob.getProperties(), 404);
    await fails(() => blob.delete(), 404, "BlobNotFound");
    await fails(() => blob.setMetadata({ a: "b" }), 404, "BlobNotFound");
    await fails(() => blob.setHTTPHeaders({}), 404, "BlobNotFound");
    await fails(() => blob.getBlockList("all"), 404, "BlobNotFound");
    assert.equal(await blob.exists(), false);
  },
};

const conditions = {
  async "writes and reads obey conditions"() {
    const client = await container();
    const blob = client.getBlockBlobClient("b");
    const first = (await blob.upload("1", 1, { conditions: { ifNoneMatch: "*" } })).etag;
    await fails(() => blob.upload("x", 1, { conditions: { ifNoneMatch: "*" } }), 409, "BlobAlreadyExists");
    const second = (await blob.upload("2", 1, { conditions: { ifMatch: first } })).etag;
    assert.notEqual(first, second);
    const stale = { conditions: { ifMatch: first } };
    await fails(() => blob.upload("x", 1, stale), 412, "ConditionNotMet");
    await fails(() => blob.setMetadata({ a: "b" }, stale), 412, "ConditionNotMet");
    await fails(() => blob.setHTTPHeaders({}, stale), 412, "ConditionNotMet");
    await fails(() => blob.delete(stale), 412, "ConditionNotMet");
    await fails(() => blob.download(0, undefined, stale), 412, "ConditionNotMet");
    await fails(() => blob.getProperties({ conditions: { ifNoneMatch: second } }), 304);
    await fails(() => blob.download(0, undefined, { conditions: { ifNoneMatch: second } }), 304);
    const past = new Date(Date.now() - 86_400_000);
    const future = new Date(Date.now() + 86_400_000);
    await fails(() => blob.download(0, undefined, { conditions: { ifModifiedSince: future } }), 304);
    await fails(() => blob.download(0, undefined, { conditions: { ifUnmodifiedSince: past } }), 412, "ConditionNotMet");
    await fails(() => blob.upload("x", 1, { conditions: { ifModifiedSince: future } }), 412, "ConditionNotMet");
    await fails(() => blob.upload("x", 1, { conditions: { ifUnmodifiedSince: past } }), 412, "ConditionNotMet");
    assert.equal(await text(blob), "2");
    await blob.delete({ conditions: { ifMatch: second } });
    assert.equal(await blob.exists(), false);
    await fails(() => blob.upload("x", 1, { conditions: { ifMatch: second } }), 412, "ConditionNotMet");
  },

  async "metadata and headers change without the content"() {
    const client = await container();
    const blob = client.getBlockBlobClient("b");
    const first = (await blob.upload("stays", 5, { blobHTTPHeaders: { blobContentType: "a/b" } })).etag;
    const second = (await blob.setMetadata({ k: "v" })).etag;
    const third = (await blob.setHTTPHeaders({ blobContentType: "c/d", blobContentLanguage: "en" })).etag;
    assert.equal(new Set([first, second, third]).size, 3);
    const properties = await blob.getProperties();
    assert.deepEqual(properties.metadata, { k: "v" });
    assert.equal(properties.contentType, "c/d");
    assert.equal(properties.contentLanguage, "en");
    assert.equal(await text(blob), "stays");
    await blob.setMetadata();
    assert.deepEqual((await blob.getProperties()).metadata, {});
  },
};

const blocks = {
  async "blocks become a blob in the order of the list"() {
    const client = await container();
    const blob = client.getBlockBlobClient("b");
    for (const number of [0, 1, 2, 3]) {
      await blob.stageBlock(blockId(number), `<${number}>`, 3);
    }
    await fails(() => blob.download(), 404, "BlobNotFound");
    assert.equal((await blob.getBlockList("uncommitted")).uncommittedBlocks.length, 4);
    assert.equal((await collect(client.listBlobsFlat())).length, 0);
    assert.equal((await collect(client.listBlobsFlat({ includeUncommitedBlobs: true }))).length, 1);
    await blob.commitBlockList([2, 0, 1].map(blockId), { metadata: { a: "b" } });
    assert.equal(await text(blob), "<2><0><1>");
    const list = await blob.getBlockList("all");
    assert.deepEqual(list.committedBlocks.map((block) => block.name), [2, 0, 1].map(blockId));
    assert.equal(list.uncommittedBlocks?.length ?? 0, 0);
    await blob.stageBlock(blockId(9), "<new>", 5);
    await blob.commitBlockList([1, 9, 1].map(blockId));
    assert.equal(await text(blob), "<1><new><1>");
    assert.deepEqual((await blob.getProperties()).metadata, {});
    await fails(() => blob.commitBlockList([blockId(7)]), 400, "InvalidBlockList");
    await blob.stageBlock(blockId(5), "x", 1);
    await fails(() => blob.stageBlock(Buffer.from("short").toString("base64"), "x", 1), 400, "InvalidBlobOrBlock");
    await blob.commitBlockList([]);
    assert.equal((await blob.getProperties()).contentLength, 0);
  },
};

const listings = {
  async "blobs are listed flat by prefix and page"() {
    const client = await container();
    const names = ["a", "b/1", "b/2", "b/c/3", "bb", "z/<&>\"'", "z/ü"];
    for (const name of names) {
      await client.getBlockBlobClient(name).upload(name, Buffer.byteLength(name), { metadata: { size: `${name.length}` } });
    }
    const pages = await collect(client.listBlobsFlat({ includeMetadata: true }).byPage({ maxPageSize: 3 }));
    assert.deepEqual(pages.map((page) => page.segment.blobItems.length), [3, 3, 1]);
    const found = pages.flatMap((page) => page.segment.blobItems);
    assert.deepEqual(found.map((blob) => blob.name), names);
    for (const blob of found) {
      assert.equal(blob.properties.contentLength, Buffer.byteLength(blob.name));
      assert.equal(blob.metadata.size, `${blob.name.length}`);
      assert.ok(!blob.properties.etag.startsWith('"'));
    }
    const below = await collect(client.listBlobsFlat({ prefix: "b/" }));
    assert.deepEqual(below.map((blob) => blob.name), ["b/1", "b/2", "b/c/3"]);
    const rest = client.listBlobsFlat().byPage({ continuationToken: pages[0].continuationToken });
    const after = (await collect(rest)).flatMap((page) => page.segment.blobItems);
    assert.deepEqual(after.map((blob) => blob.name), names.slice(3));
  },

  async "blobs are listed by delimiter"() {
    const client = await container();
    for (const name of ["a", "b/1", "b/2", "b/c/3", "bb", "c/x"]) {
      await client.getBlockBlobClient(name).upload("", 0);
    }
    const kinds = async (options) =>
      (await collect(client.listBlobsByHierarchy("/", options))).map((item) => `${item.kind} ${item.name}`).sort();
    assert.deepEqual(await kinds({}), ["blob a", "blob bb", "prefix b/", "prefix c/"]);
    assert.deepEqual(await kinds({ prefix: "b/" }), ["blob b/1", "blob b/2", "prefix b/c/"]);
    const pages = await collect(client.listBlobsByHierarchy("/").byPage({ maxPageSize: 1 }));
    const names = pages.flatMap((page) => [...(page.segment.blobPrefixes ?? []), ...page.segment.blobItems]);
    assert.deepEqual(names.map((item) => item.name).sort(), ["a", "b/", "bb", "c/"]);
  },
};

const credentials = {
  async "a wrong key is refused"() {
    const key = Buffer.from("not the key").toString("base64");
    const wrong = new blobs.StorageSharedKeyCredential(service.accountName, key);
    const client = new blobs.BlobServiceClient(service.url, wrong);
    await fails(() => client.createContainer(unique("c")), 403, "AuthenticationFailed");
  },
};

await main({ ...containers, ...content, ...conditions, ...blocks, ...listings, ...credentials });
