// Every queue and message operation, through the older JavaScript client (`azure-storage`), which speaks 2018-03-28.
//
// Programs of its time still run. It differs from its successor where a server could notice: another version, other
// spellings of requests, and its own reading of what comes back.

import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";

import { callsOf, older } from "./older.mjs";
import { connectionString, main, unique } from "./runner.mjs";

const service = older.createQueueService(connectionString());
// Plain text; the other encoder has a test of its own.
service.messageEncoder = new older.QueueMessageEncoder.TextXmlQueueMessageEncoder();

const { call, refused } = callsOf(service);

async function queue(options = {}) {
  const name = unique("q");
  await call("createQueue", name, options);
  return name;
}

const texts = (messages) => messages.map((message) => message.messageText);

await main({
  async "a queue is created found listed and deleted"() {
    const prefix = unique("list");
    for (const number of [0, 1, 2]) {
      await call("createQueue", `${prefix}-${number}`, { metadata: { number: `${number}` } });
    }
    const again = await call("createQueueIfNotExists", `${prefix}-0`);
    assert.equal(again.created, false);
    await refused(409, "QueueAlreadyExists", "createQueue", `${prefix}-0`, { metadata: { number: "9" } });
    assert.equal((await call("doesQueueExist", `${prefix}-0`)).exists, true);
    assert.equal((await call("doesQueueExist", `${prefix}-9`)).exists, false);
    const first = await call("listQueuesSegmentedWithPrefix", prefix, null, { maxResults: 2, include: "metadata" });
    assert.deepEqual(first.entries.map((entry) => [entry.name, entry.metadata.number]), [
      [`${prefix}-0`, "0"],
      [`${prefix}-1`, "1"],
    ]);
    const rest = await call("listQueuesSegmentedWithPrefix", prefix, first.continuationToken);
    assert.deepEqual(rest.entries.map((entry) => entry.name), [`${prefix}-2`]);
    assert.equal(rest.continuationToken, null);
    for (const number of [0, 1, 2]) {
      await call("deleteQueue", `${prefix}-${number}`);
    }
    await refused(404, "QueueNotFound", "deleteQueue", `${prefix}-0`);
    assert.equal(await call("deleteQueueIfExists", `${prefix}-0`), false);
  },

  async "metadata is replaced and messages are counted"() {
    const name = await queue({ metadata: { one: "1" } });
    await call("setQueueMetadata", name, { two: "2" });
    await call("createMessage", name, "a");
    await call("createMessage", name, "b");
    await call("getMessages", name);
    const found = await call("getQueueMetadata", name);
    assert.deepEqual(found.metadata, { two: "2" });
    assert.equal(Number(found.approximateMessageCount), 2);
  },

  async "messages are got in order and deleted with their receipts"() {
    const name = await queue();
    for (const text of ["one", "two", "three"]) {
      const put = await call("createMessage", name, text);
      assert.ok(put.messageId && put.popReceipt && put.timeNextVisible, "this version's answer has a body");
    }
    const first = await call("getMessages", name, { numOfMessages: 2, visibilityTimeout: 60 });
    assert.deepEqual(texts(first), ["one", "two"]);
    assert.deepEqual(first.map((message) => message.dequeueCount), [1, 1]);
    const last = await call("getMessage", name);
    assert.equal(last.messageText, "three");
    assert.deepEqual(texts(await call("getMessages", name)), []);
    for (const message of [...first, last]) {
      await call("deleteMessage", name, message.messageId, message.popReceipt);
    }
    await refused(404, "MessageNotFound", "deleteMessage", name, last.messageId, last.popReceipt);
    assert.equal(Number((await call("getQueueMetadata", name)).approximateMessageCount), 0);
  },

  async "a peek shows no receipt and changes nothing"() {
    const name = await queue();
    await call("createMessage", name, "seen");
    for (const _ of [1, 2]) {
      const peeked = await call("peekMessages", name, { numOfMessages: 32 });
      assert.deepEqual(texts(peeked), ["seen"]);
      assert.equal(peeked[0].popReceipt, undefined);
      assert.equal(peeked[0].dequeueCount, 0);
    }
    assert.equal((await call("peekMessage", name)).messageText, "seen");
    await refused(400, "OutOfRangeQueryParameterValue", "peekMessages", name, { numOfMessages: 33 });
  },

  async "an update changes text and receipt"() {
    const name = await queue();
    await call("createMessage", name, "draft");
    const message = await call("getMessage", name);
    const updated = await call("updateMessage", name, message.messageId, message.popReceipt, 0, {
      messageText: "final",
    });
    assert.notEqual(updated.popReceipt, message.popReceipt);
    await refused(400, "PopReceiptMismatch", "deleteMessage", name, message.messageId, message.popReceipt);
    const again = await call("getMessage", name);
    assert.equal(again.messageText, "final");
    assert.equal(again.dequeueCount, 2);
    const kept = await call("updateMessage", name, again.messageId, again.popReceipt, 0);
    assert.equal((await call("peekMessage", name)).messageText, "final");
    await call("deleteMessage", name, again.messageId, kept.popReceipt);
  },

  async "a message hides comes back and expires"() {
    const name = await queue();
    await call("createMessage", name, "later", { visibilityTimeout: 1 });
    await call("createMessage", name, "short", { messageTimeToLive: 1 });
    await call("createMessage", name, "forever", { messageTimeToLive: -1 });
    assert.deepEqual(texts(await call("peekMessages", name, { numOfMessages: 9 })), ["short", "forever"]);
    await sleep(1500);
    assert.deepEqual(texts(await call("peekMessages", name, { numOfMessages: 9 })), ["later", "forever"]);
    const bad = { visibilityTimeout: 10, messageTimeToLive: 5 };
    await refused(400, "InvalidQueryParameterValue", "createMessage", name, "x", bad);
  },

  async "texts come back as they were"() {
    const name = await queue();
    const sent = ["  spaces  ", "<xml attr='1'>&amp;</xml>", "ümläut ✓ 😀", "line\nbreak\ttab", "x".repeat(65_536)];
    for (const text of sent) {
      await call("createMessage", name, text);
    }
    assert.deepEqual(texts(await call("getMessages", name, { numOfMessages: 32 })), sent);
  },

  async "the base64 of the other encoder is not touched"() {
    const name = await queue();
    const encoding = older.createQueueService(connectionString());
    encoding.messageEncoder = new older.QueueMessageEncoder.TextBase64QueueMessageEncoder();
    const encoded = callsOf(encoding);
    await encoded.call("createMessage", name, "plain <ä>");
    const raw = Buffer.from("plain <ä>", "utf8").toString("base64");
    assert.equal((await call("peekMessage", name)).messageText, raw);
    assert.equal((await encoded.call("getMessage", name)).messageText, "plain <ä>");
  },

  async "clear empties the queue"() {
    const name = await queue();
    for (let number = 0; number < 10; number += 1) {
      await call("createMessage", name, `${number}`);
    }
    await call("clearMessages", name);
    assert.deepEqual(await call("peekMessages", name, { numOfMessages: 32 }), []);
  },

  async "what is missing or wrong is said"() {
    const name = unique("missing");
    await refused(404, "QueueNotFound", "createMessage", name, "x");
    await refused(404, "QueueNotFound", "getMessages", name);
    await refused(404, "QueueNotFound", "clearMessages", name);
    await refused(404, "QueueNotFound", "setQueueMetadata", name, { a: "1" });
    const there = await queue();
    await refused(400, "OutOfRangeQueryParameterValue", "getMessages", there, { numOfMessages: 33 });
    await refused(400, "OutOfRangeQueryParameterValue", "getMessages", there, { visibilityTimeout: 604_801 });
  },
});
