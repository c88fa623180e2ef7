// Every table and entity operation, through `azure-storage`, the JavaScript client before the present one. It speaks
// an older version, escapes addresses in its own way and reads answers with code of its own.

import { strict as assert } from "node:assert";

import { older } from "./older.mjs";
import { connectionString, main, unique } from "./runner.mjs";

const service = older.createTableService(connectionString());
const { TableQuery } = older;
const make = older.TableUtilities.entityGenerator;

// A call of the client as a promise of its result and its response.
function call(method, ...parameters) {
  return new Promise((resolve, reject) => {
    service[method](...parameters, (error, result, response) =>
      error ? reject(Object.assign(error, { response })) : resolve({ result, response }),
    );
  });
}

async function fails(status, code, method, ...parameters) {
  let error;
  try {
    await call(method, ...parameters);
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, `${method}: expected ${status} ${code}, but the call succeeded`);
  assert.equal(error.code, code, String(error));
  if (status !== undefined && error.statusCode !== undefined) {
    assert.equal(error.statusCode, status, String(error));
  }
  return error;
}

async function table() {
  const name = unique("t");
  await call("createTable", name);
  return name;
}

const entity = (partition, row, properties = {}) => ({
  PartitionKey: make.String(partition),
  RowKey: make.String(row),
  ...properties,
});

// The values of an entity, without keys, timestamp and metadata.
function values(found) {
  const { PartitionKey, RowKey, Timestamp, ".metadata": _, ...rest } = found;
  assert.ok(PartitionKey._ !== undefined && RowKey._ !== undefined && Timestamp._ !== undefined);
  return Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, value._]));
}

async function all(name, query) {
  const found = [];
  let token = null;
  do {
    const { result } = await call("queryEntities", name, query, token);
    found.push(...result.entries);
    token = result.continuationToken;
  } while (token);
  return found;
}

const tests = {
  async "tables come and go"() {
    const prefix = unique("list");
    const names = [0, 1, 2, 3, 4].map((number) => `${prefix}x${number}`);
    for (const name of names) {
      const { result, response } = await call("createTable", name);
      assert.equal(result.TableName, name);
      assert.equal(response.statusCode, 204);
    }
    await fails(409, "TableAlreadyExists", "createTable", names[0]);
    assert.equal((await call("createTableIfNotExists", names[0])).result.created, false);
    assert.equal((await call("doesTableExist", names[0])).result.exists, true);
    const listed = [];
    let token = null;
    do {
      const { result } = await call("listTablesSegmentedWithPrefix", prefix, token, { maxResults: 2 });
      assert.ok(result.entries.length <= 2);
      listed.push(...result.entries);
      token = result.continuationToken;
    } while (token);
    assert.deepEqual(listed, names);
    for (const name of names) {
      await call("deleteTable", name);
    }
    await fails(404, "ResourceNotFound", "deleteTable", names[0]);
    assert.equal((await call("deleteTableIfExists", names[0])).result, false);
    assert.equal((await call("doesTableExist", names[0])).result.exists, false);
  },

  async "every type comes back as it was"() {
    const name = await table();
    const sent = entity("p", "r", {
      text: make.String("ümläut 'quoted' \"double\" \\ / ✓ 😀"),
      empty: make.String(""),
      small: make.Int32(-42),
      large: make.Int64("9007199254740993"),
      ratio: make.Double(2.5),
      whole: make.Double(3),
      nan: make.Double(NaN),
      infinite: make.Double(Infinity),
      yes: make.Boolean(true),
      moment: make.DateTime(new Date("2021-02-03T04:05:06.789Z")),
      identity: make.Guid("c9da6455-213d-42c9-9a79-3e9149a57833"),
      binary: make.Binary(Buffer.from(Array.from({ length: 256 }, (_, index) => index))),
    });
    const inserted = await call("insertEntity", name, sent);
    assert.equal(inserted.response.statusCode, 204);
    assert.match(inserted.result[".metadata"].etag, /^W\/"datetime'/);
    const { result } = await call("retrieveEntity", name, "p", "r");
    assert.equal(result[".metadata"].etag, inserted.result[".metadata"].etag);
    const found = values(result);
    assert.equal(found.text, sent.text._);
    assert.equal(found.empty, "");
    assert.equal(found.small, -42);
    assert.equal(String(found.large), "9007199254740993");
    assert.equal(found.ratio, 2.5);
    assert.equal(found.whole, 3);
    assert.ok(Number.isNaN(Number(found.nan)));
    assert.equal(Number(found.infinite), Infinity);
    assert.equal(found.yes, true);
    assert.equal(new Date(found.moment).getTime(), sent.moment._.getTime());
    assert.equal(found.identity, sent.identity._);
    assert.deepEqual(Buffer.from(found.binary), sent.binary._);
    assert.equal(result.large.$, "Edm.Int64");
    assert.equal(result.Timestamp.$, "Edm.DateTime");
  },

  async "an insert echoes when it is asked to"() {
    const name = await table();
    const { result, response } = await call("insertEntity", name, entity("p", "r", { a: make.Int32(1) }), {
      echoContent: true,
    });
    assert.equal(response.statusCode, 201);
    assert.deepEqual(values(result), { a: 1 });
    await fails(409, "EntityAlreadyExists", "insertEntity", name, entity("p", "r"));
  },

  async "keys may be any text"() {
    const name = await table();
    for (const key of ["", " ", "it's", "a,b(c)=d", "ü€😀", "100%25", "+plus", "&and", '"double"', "''"]) {
      await call("insertEntity", name, entity(key, key, { key: make.String(key) }));
      const { result } = await call("retrieveEntity", name, key, key);
      assert.deepEqual(values(result), { key });
      await call("mergeEntity", name, entity(key, key, { more: make.Boolean(true) }));
      assert.deepEqual(values((await call("retrieveEntity", name, key, key)).result), { key, more: true });
      await call("deleteEntity", name, entity(key, key));
      await fails(404, "ResourceNotFound", "retrieveEntity", name, key, key);
    }
    assert.deepEqual(await all(name, null), []);
  },

  async "each way to write does what it says"() {
    const name = await table();
    const one = { a: make.Int32(1), b: make.Int32(1) };
    await fails(404, "ResourceNotFound", "replaceEntity", name, entity("p", "r", one));
    await fails(404, "ResourceNotFound", "mergeEntity", name, entity("p", "r", one));
    const read = async () => values((await call("retrieveEntity", name, "p", "r")).result);
    await call("insertOrMergeEntity", name, entity("p", "r", one));
    await call("insertOrMergeEntity", name, entity("p", "r", { c: make.Int32(3) }));
    assert.deepEqual(await read(), { a: 1, b: 1, c: 3 });
    await call("mergeEntity", name, entity("p", "r", { b: make.Int32(2) }));
    assert.deepEqual(await read(), { a: 1, b: 2, c: 3 });
    await call("replaceEntity", name, entity("p", "r", { d: make.Int32(4) }));
    assert.deepEqual(await read(), { d: 4 });
    await call("insertOrReplaceEntity", name, entity("p", "r", { e: make.Int32(5) }));
    assert.deepEqual(await read(), { e: 5 });
  },

  async "writes obey tags"() {
    const name = await table();
    await call("insertEntity", name, entity("p", "r", { a: make.Int32(1) }));
    const { result: first } = await call("retrieveEntity", name, "p", "r");
    const { result: second } = await call("replaceEntity", name, first);
    assert.notEqual(second[".metadata"].etag, first[".metadata"].etag);
    const stale = { ...entity("p", "r", { a: make.Int32(9) }), ".metadata": first[".metadata"] };
    await fails(412, "UpdateConditionNotSatisfied", "replaceEntity", name, stale);
    await fails(412, "UpdateConditionNotSatisfied", "mergeEntity", name, stale);
    await fails(412, "UpdateConditionNotSatisfied", "deleteEntity", name, stale);
    await call("deleteEntity", name, { ...entity("p", "r"), ".metadata": second[".metadata"] });
    await fails(404, "ResourceNotFound", "deleteEntity", name, entity("p", "r"));
  },

  async "queries filter select and page"() {
    const name = await table();
    for (const partition of ["a", "b"]) {
      const batch = new older.TableBatch();
      for (let number = 0; number < 100; number += 1) {
        batch.insertEntity(
          entity(partition, String(number).padStart(3, "0"), {
            number: make.Int32(number),
            large: make.Int64(String(2 ** 40 + number)),
            half: make.Double(number / 2),
            even: make.Boolean(number % 2 === 0),
            moment: make.DateTime(new Date(Date.UTC(2020, 0, 1 + number))),
            name: make.String(`it's ${number}`),
          }),
        );
      }
      await call("executeBatch", name, batch);
    }
    const rows = async (query) => (await all(name, query)).map((found) => found.RowKey._);
    const inA = () => new TableQuery().where("PartitionKey eq ?", "a");
    assert.equal((await rows(null)).length, 200);
    assert.equal((await rows(inA())).length, 100);
    assert.deepEqual(await rows(inA().and("RowKey ge ?", "098")), ["098", "099"]);
    assert.deepEqual(await rows(inA().and("number lt ?int32?", 2)), ["000", "001"]);
    assert.deepEqual(await rows(inA().and("large eq ?int64?", String(2 ** 40 + 7))), ["007"]);
    assert.deepEqual(await rows(inA().and("half eq ?double?", 1.5)), ["003"]);
    assert.deepEqual(await rows(inA().and("moment gt ?date?", new Date(Date.UTC(2020, 0, 99)))), ["099"]);
    assert.deepEqual(await rows(inA().and("name eq ?", "it's 5")), ["005"]);
    assert.deepEqual(await rows(inA().and("even eq ?bool? and number gt 96", true)), ["098"]);
    assert.deepEqual(await rows(new TableQuery().where("number eq 3 or number eq 4")), ["003", "004", "003", "004"]);
    const { result } = await call("queryEntities", name, new TableQuery().top(30), null);
    assert.equal(result.entries.length, 30);
    assert.ok(result.continuationToken);
    const narrow = await all(name, new TableQuery().select("number").where("RowKey eq ?", "007"));
    assert.deepEqual(narrow.map((found) => found.number._), [7, 7]);
    assert.equal(narrow[0].name, undefined);
    await fails(400, "InvalidInput", "queryEntities", name, new TableQuery().where("number eq"), null);
  },

  async "a batch is all or nothing"() {
    const name = await table();
    for (const row of ["replace", "merge", "delete", "keep"]) {
      await call("insertEntity", name, entity("p", row, { a: make.Int32(1), b: make.Int32(2) }));
    }
    const batch = new older.TableBatch();
    batch.insertEntity(entity("p", "insert", { a: make.Int32(1) }), { echoContent: true });
    batch.replaceEntity(entity("p", "replace", { b: make.Int32(3) }));
    batch.mergeEntity(entity("p", "merge", { b: make.Int32(3) }));
    batch.insertOrReplaceEntity(entity("p", "upsert", { a: make.Int32(1) }));
    batch.deleteEntity(entity("p", "delete"));
    const { result } = await call("executeBatch", name, batch);
    assert.equal(result.length, 5);
    assert.deepEqual(result.map((one) => one.response.statusCode), [201, 204, 204, 204, 204]);
    assert.match(result[3].entity[".metadata"].etag, /^W\//);
    const found = Object.fromEntries((await all(name, null)).map((one) => [one.RowKey._, values(one)]));
    assert.deepEqual(found, {
      insert: { a: 1 },
      keep: { a: 1, b: 2 },
      merge: { a: 1, b: 3 },
      replace: { b: 3 },
      upsert: { a: 1 },
    });
    const failing = new older.TableBatch();
    failing.insertEntity(entity("p", "new", { a: make.Int32(1) }));
    failing.replaceEntity(entity("p", "keep", { a: make.Int32(99) }));
    failing.insertEntity(entity("p", "insert", { a: make.Int32(1) }));
    const error = await fails(409, "EntityAlreadyExists", "executeBatch", name, failing);
    assert.match(error.message, /^2:/);
    await fails(404, "ResourceNotFound", "retrieveEntity", name, "p", "new");
    assert.deepEqual(values((await call("retrieveEntity", name, "p", "keep")).result), { a: 1, b: 2 });
  },

  async "a batch may be one query"() {
    const name = await table();
    await call("insertEntity", name, entity("p", "r", { a: make.Int32(1) }));
    const batch = new older.TableBatch();
    batch.retrieveEntity("p", "r");
    const { result } = await call("executeBatch", name, batch);
    assert.equal(result.length, 1);
    assert.deepEqual(values(result[0].entity), { a: 1 });
  },

  async "what is missing or wrong is told"() {
    const missing = unique("missing");
    await fails(404, "TableNotFound", "insertEntity", missing, entity("p", "r"));
    await fails(404, "TableNotFound", "queryEntities", missing, null, null);
    const name = await table();
    await fails(400, "PropertyNameInvalid", "insertEntity", name, entity("p", "r", { "a-b": make.Int32(1) }));
    const long = entity("p", "r", { a: make.String("x".repeat(32769)) });
    await fails(400, "PropertyValueTooLarge", "insertEntity", name, long);
    const many = Object.fromEntries(Array.from({ length: 253 }, (_, n) => [`p${n}`, make.Int32(n)]));
    await fails(400, "TooManyProperties", "insertEntity", name, entity("p", "r", many));
    await fails(400, "OutOfRangeInput", "insertEntity", name, entity("p", "a\\b"));
  },
};

await main(tests);
