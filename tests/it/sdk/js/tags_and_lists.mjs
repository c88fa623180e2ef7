// Tags, searches by tag, batches, and listings in both of their forms, through the official JavaScript client.

import { strict as assert } from "node:assert";

import { blobs, collect, connectionString, fails, main, unique } from "./runner.mjs";

const service = blobs.BlobServiceClient.fromConnectionString(connectionString());

async function container() {
  const { containerClient } = await service.createContainer(unique("c"));
  return containerClient;
}

async function put(client, name, options) {
  await client.getBlockBlobClient(name).upload("x", 1, options);
  return client.getBlobClient(name);
}

const names = (items) => items.map((item) => item.name);

await main({
  async "tags are replaced as a whole"() {
    const client = await container();
    const blob = await put(client, "b", { tags: { first: "1" } });
    assert.deepEqual((await blob.getTags()).tags, { first: "1" });
    const tags = { colour: "blue", "a +-./:=_": "" };
    await blob.setTags(tags);
    assert.deepEqual((await blob.getTags()).tags, tags);
    assert.equal((await blob.getProperties()).tagCount, 2);
    await fails(() => blob.setTags({ k: "é" }), 400, "InvalidTag");
    await fails(() => blob.setTags({}, { conditions: { tagConditions: "colour = 'red'" } }), 412, "ConditionNotMet");
    assert.deepEqual((await blob.getTags()).tags, tags);
  },

  async "blobs are found by tags"() {
    const client = await container();
    const mark = unique("m");
    for (const n of ["1", "2", "3"]) {
      await put(client, `b${n}`, { tags: { mark, n, other: "x" } });
    }
    const found = await collect(service.findBlobsByTags(`mark = '${mark}' AND n > '1'`));
    assert.deepEqual(names(found), ["b2", "b3"]);
    assert.deepEqual(found[0].tags, { mark, n: "2" });
    assert.equal(found[0].containerName, client.containerName);
    const pages = await collect(client.findBlobsByTags(`mark = '${mark}'`).byPage({ maxPageSize: 2 }));
    assert.deepEqual(pages.map((page) => names(page.blobs)), [["b1", "b2"], ["b3"]]);
    await fails(() => collect(service.findBlobsByTags("mark <> '1'")), 400, "InvalidQueryParameterValue");
  },

  async "a batch deletes, of the account and of a container"() {
    const client = await container();
    const batch = (count) => Promise.all(Array.from({ length: count }, (_, n) => put(client, `dir/b ${n}`)));
    for (const target of [service, client]) {
      const made = await batch(5);
      const none = client.getBlobClient("none");
      const answer = await target.getBlobBatchClient().deleteBlobs([...made.slice(0, 4), none]);
      assert.equal(answer.subResponsesSucceededCount, 4);
      assert.equal(answer.subResponsesFailedCount, 1);
      assert.deepEqual(answer.subResponses.map((part) => part.status), [202, 202, 202, 202, 404]);
      assert.equal(answer.subResponses[4].errorCode, "BlobNotFound");
      assert.match(answer.subResponses[4].bodyAsText, /<Code>BlobNotFound<\/Code>/);
      assert.deepEqual(names(await collect(client.listBlobsFlat())), ["dir/b 4"]);
      await made[4].delete();
    }
  },

  async "a part of a batch needs a credential that holds"() {
    const client = await container();
    const blob = await put(client, "b");
    const anonymous = new blobs.AnonymousCredential();
    const answer = await service.getBlobBatchClient().deleteBlobs([blob.url], anonymous);
    assert.deepEqual(answer.subResponses.map((part) => part.status), [401]);
    const signed = await blob.generateSasUrl({
      permissions: blobs.BlobSASPermissions.parse("d"),
      expiresOn: new Date(Date.now() + 3_600_000),
    });
    const second = await service.getBlobBatchClient().deleteBlobs([signed], anonymous);
    assert.deepEqual(second.subResponses.map((part) => part.status), [202]);
    assert.equal(await blob.exists(), false);
  },

  async "a table tells what the document tells"() {
    const client = await container();
    await put(client, "a/1", { metadata: { k: "v" }, tags: { t: "1" } });
    await put(client, "b", { tags: { u: "2", w: "3" } });
    await put(client, "x\uffff");
    const options = { includeMetadata: true, includeTags: true, includeLegalHold: true };
    const documents = await collect(client.listBlobsFlat({ ...options, responseFormat: "Xml" }));
    const tables = await collect(client.listBlobsFlat({ ...options, responseFormat: "Arrow" }));
    assert.deepEqual(names(tables), ["a/1", "b", "x\uffff"]);
    assert.deepEqual(names(documents), names(tables));
    tables.forEach((table, index) => {
      const document = documents[index];
      assert.deepEqual(table.tags ?? {}, document.tags ?? {});
      // The client reads an empty element as an empty text.
      assert.deepEqual(table.metadata ?? {}, document.metadata || {});
      for (const [name, value] of Object.entries(document.properties)) {
        assert.deepEqual(table.properties[name] ?? "", value ?? "", `${table.name} ${name}`);
      }
    });
    assert.ok(Math.abs(tables[0].properties.lastModified - Date.now()) < 60_000);
    assert.deepEqual([tables[0].properties.contentLength, tables[0].tags], [1, { t: "1" }]);
  },

  async "listings nest and page in both forms"() {
    const client = await container();
    for (const name of ["a/1", "a/2", "b", "c/1"]) {
      await put(client, name);
    }
    for (const responseFormat of ["Xml", "Arrow"]) {
      const found = await collect(client.listBlobsByHierarchy("/", { responseFormat }));
      assert.deepEqual(found.map((item) => [item.kind, item.name]).sort(), [
        ["blob", "b"], ["prefix", "a/"], ["prefix", "c/"],
      ], responseFormat);
      const pages = await collect(client.listBlobsFlat({ responseFormat }).byPage({ maxPageSize: 3 }));
      assert.deepEqual(pages.map((page) => names(page.segment.blobItems)), [["a/1", "a/2", "b"], ["c/1"]]);
    }
  },
});
