// The client libraries and a runner of a few lines.
//
// The libraries live in a cache folder outside the repository (LINARITE_SDK_JS, made by .ci/sdk-js), so they are
// loaded through a `require` that starts there. The server is given by LINARITE_CONNECTION_STRING.

import { strict as assert } from "node:assert";
import { createHash, randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";

export const installed = process.env.LINARITE_SDK_JS ?? import.meta.dirname;
export const require = createRequire(path.join(installed, "package.json"));

export const blobs = require("@azure/storage-blob");
export const queues = require("@azure/storage-queue");
export const tables = require("@azure/data-tables");

export function connectionString() {
  const text = process.env.LINARITE_CONNECTION_STRING;
  if (!text) {
    console.error("set LINARITE_CONNECTION_STRING to the server's connection string");
    process.exit(1);
  }
  return text;
}

// A name that no other test and no earlier run has used.
export function unique(prefix) {
  return prefix + randomUUID().replaceAll("-", "").slice(0, 16);
}

export function codeOf(error) {
  return error.code && error.code !== "REQUEST_SEND_ERROR" ? error.code : error.details?.errorCode;
}

// Awaits a call which must fail with this status and, if given, this error code.
export async function fails(call, status, code) {
  let error;
  try {
    await call();
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, `expected ${status} ${code ?? ""}, but the call succeeded`);
  assert.equal(error.statusCode, status, String(error));
  if (code !== undefined) {
    const odata = error.details?.odataError?.code;
    const found = [error.code, error.details?.errorCode, error.details?.code, odata];
    assert.ok(found.includes(code), `expected the code ${code}, found ${found}: ${error}`);
  }
  return error;
}

export async function collect(items) {
  const found = [];
  for await (const item of items) {
    found.push(item);
  }
  return found;
}

// What one client writes another reads; the rule is in handover.py.
export function handoverContent(name, size) {
  const pattern = createHash("sha256").update(name).digest("hex");
  return Buffer.from(pattern.repeat(Math.floor(size / pattern.length) + 1).slice(0, size));
}

// Runs all tests, or those whose names contain an argument of the command line.
export async function main(tests) {
  const wanted = process.argv.slice(2);
  let passed = 0;
  const failed = [];
  for (const [name, test] of Object.entries(tests)) {
    if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) {
      continue;
    }
    const start = performance.now();
    try {
      await test();
      passed += 1;
      console.log(`ok     ${name} (${((performance.now() - start) / 1000).toFixed(2)} s)`);
    } catch (error) {
      failed.push(name);
      console.log(`FAILED ${name}`);
      console.log(error.stack ?? error);
    }
  }
  console.log(`${passed} passed, ${failed.length} failed ${failed.join(", ")}`.trimEnd());
  process.exit(failed.length > 0 || passed === 0 ? 1 : 0);
}
