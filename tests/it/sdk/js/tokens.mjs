// Signing in with a token through the official JavaScript clients, over TLS with the server's local authority trusted
// (NODE_EXTRA_CA_CERTS). LINARITE_TOKENS is JSON: a signed token for each role, whose holder has that role only.

import { strict as assert } from "node:assert";

import { blobs, collect, connectionString, fails, main, queues, tables, unique } from "./runner.mjs";

const settings = Object.fromEntries(
  connectionString().split(";").filter(Boolean).map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]),
);
const given = JSON.parse(process.env.LINARITE_TOKENS);
const mismatch = "AuthorizationPermissionMismatch";

// Hands out one token, as a library that signs in would.
function holder(role) {
  return { getToken: async () => ({ token: given[role], expiresOnTimestamp: Date.now() + 3_600_000 }) };
}

const blob = (role) => new blobs.BlobServiceClient(settings.BlobEndpoint, holder(role));
const queue = (role) => new queues.QueueServiceClient(settings.QueueEndpoint, holder(role));
const table = (role, name) => new tables.TableClient(settings.TableEndpoint, name, holder(role));

const tests = {
  async "a reader reads what a contributor wrote and writes nothing"() {
    assert.ok(settings.BlobEndpoint.startsWith("https://"), settings.BlobEndpoint);
    const name = unique("tokens");
    const writer = (await blob("storage-blob-data-contributor").createContainer(name)).containerClient;
    await writer.getBlockBlobClient("a/b").upload("hello", 5);
    const reader = blob("storage-blob-data-reader").getContainerClient(name);
    assert.equal((await reader.getBlobClient("a/b").downloadToBuffer()).toString(), "hello");
    assert.deepEqual((await collect(reader.listBlobsFlat())).map((found) => found.name), ["a/b"]);
    await fails(() => reader.getBlockBlobClient("c").upload("x", 1), 403, mismatch);
    await fails(() => reader.getBlobClient("a/b").delete(), 403, mismatch);
  },

  async "what a user hands on is no more than they have"() {
    const name = unique("tokens");
    const writer = (await blob("storage-blob-data-contributor").createContainer(name)).containerClient;
    await writer.getBlockBlobClient("b").upload("hello", 5);
    const [from, until] = [new Date(Date.now() - 60_000), new Date(Date.now() + 3_600_000)];
    const key = await blob("storage-blob-data-reader").getUserDelegationKey(from, until);
    const account = new URL(settings.BlobEndpoint).pathname.replaceAll("/", "");
    const permissions = blobs.BlobSASPermissions.parse("rd");
    const query = blobs.generateBlobSASQueryParameters(
      { containerName: name, blobName: "b", permissions, startsOn: from, expiresOn: until }, key, account);
    const client = new blobs.BlobClient(`${writer.url}/b?${query}`);
    assert.equal((await client.downloadToBuffer()).toString(), "hello");
    await fails(() => client.delete(), 403, mismatch);
  },

  async "senders send and processors take"() {
    const name = unique("tokens");
    await queue("storage-queue-data-contributor").createQueue(name);
    const sender = queue("storage-queue-data-message-sender").getQueueClient(name);
    await sender.sendMessage("hello");
    await fails(() => sender.peekMessages(), 403, mismatch);
    const processor = queue("storage-queue-data-message-processor").getQueueClient(name);
    const { receivedMessageItems: [message] } = await processor.receiveMessages();
    await processor.deleteMessage(message.messageId, message.popReceipt);
    await fails(() => processor.sendMessage("x"), 403, mismatch);
  },

  async "a table's reader reads what its contributor wrote"() {
    const name = unique("tokens");
    const writer = table("storage-table-data-contributor", name);
    await writer.createTable();
    await writer.createEntity({ partitionKey: "p", rowKey: "r", a: 1 });
    await writer.submitTransaction([["upsert", { partitionKey: "p", rowKey: "s", a: 2 }]]);
    const reader = table("storage-table-data-reader", name);
    assert.deepEqual((await collect(reader.listEntities())).map((entity) => entity.a), [1, 2]);
    await fails(() => reader.createEntity({ partitionKey: "p", rowKey: "t" }), 403, mismatch);
  },
};

await main(tests);
