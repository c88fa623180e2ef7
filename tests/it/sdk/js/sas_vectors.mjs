// Signatures made by the official JavaScript clients, for fixtures/auth/sas: prints one document. Unlike the Python
// clients they can be told which version to sign in, so each step of what is signed is here.
//
// Nothing here talks to a server. The user delegation key is made by the rule that stands in
// api/src/auth/delegation.rs, written again with another implementation of HMAC.

import { createHmac } from "node:crypto";

import { blobs, queues, tables } from "./runner.mjs";

const account = "devaccount";
const key = Buffer.from(Array.from({ length: 64 }, (_, byte) => byte));
const start = "2026-11-22T00:00:00Z";
const expiry = "2026-11-23T00:00:00Z";
const object = "11111111-1111-1111-1111-111111111111";
const tenant = "22222222-2222-2222-2222-222222222222";
const user = "33333333-3333-3333-3333-333333333333";
const hosts = Object.fromEntries(
  ["blob", "queue", "table"].map((service, port) => [service, `http://127.0.0.1:1000${port}/${account}`]),
);
const at = "2026-11-22T01:02:03.1234567Z";
const vectors = [];

function add(name, service, path, token, more = {}) {
  const joint = path.includes("?") ? "&" : "?";
  vectors.push({ name, service, url: `${hosts[service]}${path}${joint}${token}`, ...more });
}

function delegationKey(service, version, userTenant = "") {
  const mac = createHmac("sha256", Buffer.alloc(32, 7));
  for (const text of ["user delegation key 1", account, object, tenant, start, expiry, service, version, userTenant]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(Buffer.byteLength(text)));
    mac.update(length).update(text);
  }
  return {
    signedObjectId: object,
    signedTenantId: tenant,
    signedStartsOn: new Date(start),
    signedExpiresOn: new Date(expiry),
    signedService: service,
    signedVersion: version,
    ...(userTenant ? { signedDelegatedUserTenantId: userTenant } : {}),
    value: mac.digest("base64"),
  };
}

const times = { startsOn: new Date(start), expiresOn: new Date(expiry) };
const answer = {
  cacheControl: "no-cache",
  contentDisposition: "attachment",
  contentEncoding: "gzip",
  contentLanguage: "de",
  contentType: "text/plain",
};
const shared = new blobs.StorageSharedKeyCredential(account, key.toString("base64"));

function ofBlob(version, values, signer = shared) {
  const permissions = values.blobName
    ? blobs.BlobSASPermissions.parse("rw")
    : blobs.ContainerSASPermissions.parse("rwl");
  const all = { containerName: "con", permissions, version, ...times, ...values };
  return blobs.generateBlobSASQueryParameters(all, signer, account).toString();
}

for (const version of ["2015-04-05", "2018-03-28", "2018-11-09", "2019-12-12", "2020-02-10", "2020-12-06", "2026-10-06"]) {
  add(`blob ${version}`, "blob", "/con/a/b", ofBlob(version, { blobName: "a/b", ...answer }));
  add(`container ${version}`, "blob", "/con", ofBlob(version, { ipRange: { start: "127.0.0.1" } }));
}
for (const version of ["2018-11-09", "2020-12-06"]) {
  add(`snapshot ${version}`, "blob", `/con/b?snapshot=${at}`, ofBlob(version, { blobName: "b", snapshotTime: at }));
}
add("version 2019-12-12", "blob", `/con/b?versionid=${at}`, ofBlob("2019-12-12", { blobName: "b", versionId: at }));
add("encryption scope", "blob", "/con/b", ofBlob("2020-12-06", { blobName: "b", encryptionScope: "scope" }));

for (const version of ["2018-11-09", "2019-12-12", "2020-02-10", "2020-10-02", "2020-12-06", "2025-07-05", "2026-04-06"]) {
  const signer = delegationKey("b", version);
  add(`blob ${version}, delegated`, "blob", "/con/a/b", ofBlob(version, { blobName: "a/b", ...answer }, signer));
  add(`container ${version}, delegated`, "blob", "/con/b", ofBlob(version, {}, signer));
}
{
  const values = { blobName: "b", correlationId: user, preauthorizedAgentObjectId: user };
  add("blob, delegated, agent", "blob", "/con/b", ofBlob("2020-02-10", values, delegationKey("b", "2020-02-10")));
  const version = "2026-04-06";
  const bound = { blobName: "b", delegatedUserObjectId: user };
  add("blob, delegated, one user", "blob", "/con/b", ofBlob(version, bound, delegationKey("b", version, tenant)));
  const restricted = { blobName: "b", requestHeaders: { "x-ms-one": "1" }, requestQueryParameters: { timeout: "30" } };
  const token = ofBlob(version, restricted, delegationKey("b", version));
  add("blob, delegated, header and parameter", "blob", "/con/b?timeout=30", token, { headers: [["x-ms-one", "1"]] });
  const inside = { blobName: "a/b", isDirectory: true };
  add("directory", "blob", "/con/a/b/c", ofBlob(version, inside, delegationKey("b", version)));
}

for (const version of ["2015-04-05", "2020-12-06", "2026-06-06"]) {
  const values = {
    version,
    ...times,
    permissions: blobs.AccountSASPermissions.parse("rwdlacup"),
    resourceTypes: "sco",
    services: "bqtf",
    protocol: "https,http",
  };
  add(`account ${version}`, "blob", "/con/b", blobs.generateAccountSASQueryParameters(values, shared).toString());
}
{
  const credential = new queues.StorageSharedKeyCredential(account, key.toString("base64"));
  const permissions = queues.QueueSASPermissions.parse("raup");
  const values = { queueName: "que", permissions, ...times };
  const sign = (more, signer) =>
    queues.generateQueueSASQueryParameters({ ...values, ...more }, signer, account).toString();
  add("queue", "queue", "/que/messages/1", sign({}, credential));
  add("queue, delegated", "queue", "/que", sign({ version: "2026-06-06" }, delegationKey("q", "2026-06-06")));
}
{
  const credential = new tables.AzureNamedKeyCredential(account, key.toString("base64"));
  const keys = { startPartitionKey: "a", startRowKey: "1", endPartitionKey: "b", endRowKey: "2" };
  const permissions = { query: true, add: true, update: true, delete: true };
  add("table", "table", "/Tab()", tables.generateTableSas("Tab", credential, { permissions, ...times, ...keys }));
  add("account, tables", "table", "/Tables", tables.generateAccountSas(credential, { ...times, permissions: { list: true } }));
}

const document = {
  why: "Made by the official JavaScript clients: tests/it/sdk/js/sas_vectors.mjs.",
  key: key.toString("base64"),
  received: 1795348800,
  vectors,
};
console.log(JSON.stringify(document, null, 2));
