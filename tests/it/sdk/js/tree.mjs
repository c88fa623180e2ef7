// A real tree of thousands of files, up and down again: the installed client libraries themselves.
//
// Every byte is compared. The tree is listed flat and walked folder by folder; both must see the same names.

import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { blobs, collect, connectionString, installed, main, unique } from "./runner.mjs";

const FILES_MIN = 2000;
const FILES_MAX = 6000;
const LANES = 8;

function tree() {
  const root = path.join(installed, "node_modules");
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = entries.map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
  assert.ok(files.length >= FILES_MIN, `only ${files.length} files under ${root}`);
  const named = files.map((file) => ({ name: path.relative(root, file).split(path.sep).join("/"), file }));
  return named.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))).slice(0, FILES_MAX);
}

async function inLanes(entries, work) {
  const waiting = [...entries];
  const lane = async () => {
    for (let entry = waiting.pop(); entry !== undefined; entry = waiting.pop()) {
      await work(entry);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function walk(container, prefix, names) {
  for await (const item of container.listBlobsByHierarchy("/", { prefix })) {
    if (item.kind === "prefix") {
      await walk(container, item.name, names);
    } else {
      names.push(item.name);
    }
  }
  return names;
}

await main({
  async "a tree of thousands of files comes back byte for byte"() {
    const service = blobs.BlobServiceClient.fromConnectionString(connectionString());
    const { containerClient: container } = await service.createContainer(unique("tree"));
    const files = tree();
    await inLanes(files, ({ name, file }) => container.getBlockBlobClient(name).uploadFile(file));
    const names = files.map(({ name }) => name);
    const flat = (await collect(container.listBlobsFlat())).map((blob) => blob.name);
    assert.deepEqual(flat, names, "the flat listing differs");
    assert.deepEqual((await walk(container, "", [])).sort(), [...names].sort(), "the walk differs");
    await inLanes(files, async ({ name, file }) => {
      const content = readFileSync(file);
      const found = await container.getBlobClient(name).downloadToBuffer();
      assert.ok(found.equals(content), name);
    });
    console.log(`       ${files.length} files`);
    await container.delete();
  },
});
