// Customer-provided keys and encryption scopes through the official JavaScript client, over TLS. `write` makes the
// blobs and reads them, `check` reads them again in another process of the server.

import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";

import { blobs, connectionString, fails, main } from "./runner.mjs";

const service = blobs.BlobServiceClient.fromConnectionString(connectionString());
const container = service.getContainerClient("encrypted");
const marked = Buffer.alloc(2_500_000, "a marker under a key and more ");

function key(byte) {
  const raw = Buffer.alloc(32, byte);
  return {
    encryptionKey: raw.toString("base64"),
    encryptionKeySha256: createHash("sha256").update(raw).digest("base64"),
    encryptionAlgorithm: "AES256",
  };
}

const mine = { customerProvidedKey: key(0xc7) };
const other = { customerProvidedKey: key(1) };

async function write() {
  await container.create();
  const blob = container.getBlockBlobClient("b");
  const ids = ["1", "2", "3"].map((id) => Buffer.from(id).toString("base64"));
  for (const [number, id] of ids.entries()) {
    const part = marked.subarray(number * 900_000, (number + 1) * 900_000);
    await blob.stageBlock(id, part, part.length, mine);
  }
  const told = await blob.commitBlockList(ids, mine);
  assert.equal(told.encryptionKeySha256, mine.customerProvidedKey.encryptionKeySha256);
  await container.getBlockBlobClient("plain").upload("a marker without a key", 22);
}

// The word is taken away: the runner would look for tests of that name.
const [mode] = process.argv.splice(2, 1);
if (mode === "write") await write();

await main({
  async "content is read with its key and no other"() {
    const blob = container.getBlockBlobClient("b");
    assert.deepEqual(await blob.downloadToBuffer(0, undefined, mine), marked);
    assert.deepEqual(await blob.downloadToBuffer(65_487, 70_001, mine), marked.subarray(65_487, 135_488));
    const properties = await blob.getProperties(mine);
    assert.equal(properties.encryptionKeySha256, mine.customerProvidedKey.encryptionKeySha256);
    await fails(() => blob.download(), 409, "BlobUsesCustomerSpecifiedEncryption");
    await fails(() => blob.download(0, undefined, other), 409, "BlobUsesCustomerSpecifiedEncryption");
  },
  async "a scope is told"() {
    const blob = container.getBlockBlobClient("scoped");
    const told = await blob.upload("in the scope", 12, { encryptionScope: "sdk-scope" });
    assert.equal(told.encryptionScope, "sdk-scope");
    assert.equal((await blob.downloadToBuffer()).toString(), "in the scope");
    const both = () => blob.upload("x", 1, { encryptionScope: "sdk-scope", ...mine });
    await fails(both, 400, "InvalidHeaderValue");
  },
});
