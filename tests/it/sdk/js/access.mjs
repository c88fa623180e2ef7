// Shared access signatures and public containers, through the official JavaScript clients.

import { strict as assert } from "node:assert";

import { blobs, collect, connectionString, fails, main, queues, tables, unique } from "./runner.mjs";

const connection = connectionString();
const settings = Object.fromEntries(
  connection.split(";").filter(Boolean).map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]),
);
const service = blobs.BlobServiceClient.fromConnectionString(connection);
const mismatch = "AuthorizationPermissionMismatch";
const soon = () => new Date(Date.now() + 3_600_000);

async function container(options) {
  const { containerClient } = await service.createContainer(unique("c"), options);
  await containerClient.getBlockBlobClient("a b").upload("hello", 5);
  return containerClient;
}

async function narrowed(client, permissions, more = {}) {
  const values = { permissions: blobs.ContainerSASPermissions.parse(permissions), expiresOn: soon(), ...more };
  return new blobs.ContainerClient(await client.generateSasUrl(values));
}

const tests = {
  async "a container is read and listed but not written"() {
    const reader = await narrowed(await container(), "rl");
    assert.deepEqual((await collect(reader.listBlobsFlat())).map((blob) => blob.name), ["a b"]);
    assert.equal((await reader.getBlobClient("a b").downloadToBuffer()).toString(), "hello");
    await fails(() => reader.getBlockBlobClient("new").upload("x", 1), 403, mismatch);
    await fails(() => reader.getProperties(), 403, "AuthorizationFailure");
  },

  async "every version of a signature opens the same blob"() {
    const client = await container();
    for (const version of ["2015-04-05", "2018-11-09", "2020-02-10", "2020-12-06", "2026-10-06"]) {
      const reader = await narrowed(client, "r", { version });
      assert.equal((await reader.getBlobClient("a b").downloadToBuffer()).toString(), "hello", version);
      await fails(() => reader.getBlobClient("a b").delete(), 403, mismatch);
    }
  },

  async "what may only be created is not overwritten"() {
    const creator = (await narrowed(await container(), "c")).getBlockBlobClient("new");
    await creator.upload("first", 5);
    await fails(() => creator.upload("other", 5), 403, "UnauthorizedBlobOverwrite");
  },

  async "a blob is answered with the headers that were signed"() {
    const blob = (await container()).getBlobClient("a b");
    const permissions = blobs.BlobSASPermissions.parse("r");
    const url = await blob.generateSasUrl({ permissions, expiresOn: soon(), contentType: "text/x-signed" });
    assert.equal((await new blobs.BlobClient(url).getProperties()).contentType, "text/x-signed");
    assert.equal((await new blobs.BlobClient(url).download()).contentType, "text/x-signed");
    assert.equal((await blob.getProperties()).contentType, "application/octet-stream");
  },

  async "an account is limited to its rights"() {
    const rights = (text) => blobs.AccountSASPermissions.parse(text);
    const of = (text, types) => new blobs.BlobServiceClient(service.generateAccountSasUrl(soon(), rights(text), types));
    await fails(() => of("rwdlac", "o").createContainer(unique("c")), 403, "AuthorizationResourceTypeMismatch");
    await fails(() => of("rl", "sco").createContainer(unique("c")), 403, mismatch);
    const { containerClient } = await of("c", "sco").createContainer(unique("c"));
    await fails(() => containerClient.delete(), 403, mismatch);
  },

  async "a queue is filled by one and emptied by another"() {
    const queue = queues.QueueServiceClient.fromConnectionString(connection).getQueueClient(unique("q"));
    await queue.create();
    const holder = async (text) => {
      const permissions = queues.QueueSASPermissions.parse(text);
      return new queues.QueueClient(await queue.generateSasUrl({ permissions, expiresOn: soon() }));
    };
    await (await holder("a")).sendMessage("one");
    await fails(async () => (await holder("a")).receiveMessages(), 403, mismatch);
    const worker = await holder("p");
    const { receivedMessageItems: [message] } = await worker.receiveMessages();
    assert.equal(message.messageText, "one");
    await worker.deleteMessage(message.messageId, message.popReceipt);
  },

  async "entities are bounded by rights and keys"() {
    const name = unique("t");
    const table = tables.TableClient.fromConnectionString(connection, name, { allowInsecureConnection: true });
    await table.createTable();
    for (const partitionKey of ["a", "b", "c"]) {
      await table.createEntity({ partitionKey, rowKey: "1" });
    }
    const credential = new tables.AzureNamedKeyCredential(settings.AccountName, settings.AccountKey);
    const holder = (permissions, more = {}) => {
      const sas = tables.generateTableSas(name, credential, { permissions, expiresOn: soon(), ...more });
      const signed = new tables.AzureSASCredential(sas);
      return new tables.TableClient(settings.TableEndpoint, name, signed, { allowInsecureConnection: true });
    };
    const reader = holder({ query: true }, { startPartitionKey: "b", endPartitionKey: "b" });
    assert.deepEqual((await collect(reader.listEntities())).map((entity) => entity.partitionKey), ["b"]);
    await fails(() => reader.getEntity("a", "1"), 403, "AuthorizationFailure");
    await fails(() => reader.createEntity({ partitionKey: "b", rowKey: "2" }), 403, mismatch);
    const writer = holder({ add: true, update: true }, { startPartitionKey: "b" });
    await writer.submitTransaction([
      ["create", { partitionKey: "b", rowKey: "2" }],
      ["upsert", { partitionKey: "b", rowKey: "3" }],
    ]);
    await fails(() => writer.submitTransaction([["create", { partitionKey: "a", rowKey: "2" }]]), 403);
  },

  async "a public container is read by anybody"() {
    const client = await container({ access: "container" });
    const anybody = new blobs.ContainerClient(client.url);
    assert.equal((await collect(anybody.listBlobsFlat())).length, 1);
    assert.equal((await anybody.getBlobClient("a b").downloadToBuffer()).toString(), "hello");
    await fails(() => anybody.getBlobClient("a b").delete(), 401, "NoAuthenticationInformation");
  },
};

await main(tests);
