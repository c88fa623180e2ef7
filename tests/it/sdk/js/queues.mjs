// Every queue and message operation, through the official JavaScript client.

import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";

import { collect, connectionString, fails, main, queues, unique } from "./runner.mjs";

const service = queues.QueueServiceClient.fromConnectionString(connectionString());

async function queue() {
  const client = service.getQueueClient(unique("q"));
  await client.create();
  return client;
}

const texts = (answer) => (answer.receivedMessageItems ?? answer.peekedMessageItems).map((item) => item.messageText);

await main({
  async "a queue is created listed and deleted"() {
    const prefix = unique("list");
    const names = [0, 1, 2, 3, 4].map((number) => `${prefix}-${number}`);
    for (const name of names) {
      await service.createQueue(name, { metadata: { name } });
    }
    const again = await service.createQueue(names[0], { metadata: { name: names[0] } });
    assert.equal(again._response.status, 204);
    await fails(() => service.createQueue(names[0], { metadata: { x: "y" } }), 409, "QueueAlreadyExists");
    const pages = await collect(service.listQueues({ prefix, includeMetadata: true }).byPage({ maxPageSize: 2 }));
    assert.deepEqual(pages.map((page) => page.queueItems.length), [2, 2, 1]);
    const found = pages.flatMap((page) => page.queueItems);
    assert.deepEqual(found.map((item) => item.name), names);
    assert.ok(found.every((item) => item.metadata.name === item.name));
    for (const name of names) {
      await service.deleteQueue(name);
    }
    await fails(() => service.deleteQueue(names[0]), 404, "QueueNotFound");
    assert.deepEqual(await collect(service.listQueues({ prefix })), []);
  },

  async "metadata and count are properties"() {
    const client = await queue();
    await client.setMetadata({ one: "1" });
    await client.setMetadata({ two: "2" });
    await client.sendMessage("a");
    await client.sendMessage("b");
    await client.receiveMessages();
    const properties = await client.getProperties();
    assert.deepEqual(properties.metadata, { two: "2" });
    assert.equal(properties.approximateMessagesCount, 2);
  },

  async "messages come in order and only once at a time"() {
    const client = await queue();
    const sent = [];
    for (const number of [0, 1, 2, 3, 4]) {
      sent.push(await client.sendMessage(`message ${number}`));
    }
    const first = await client.receiveMessages({ numberOfMessages: 3 });
    assert.deepEqual(texts(first), ["message 0", "message 1", "message 2"]);
    assert.equal(first.receivedMessageItems[0].messageId, sent[0].messageId);
    assert.equal(first.receivedMessageItems[0].dequeueCount, 1);
    const rest = await client.receiveMessages({ numberOfMessages: 32 });
    assert.deepEqual(texts(rest), ["message 3", "message 4"]);
    assert.deepEqual(texts(await client.receiveMessages()), []);
    for (const item of [...first.receivedMessageItems, ...rest.receivedMessageItems]) {
      await client.deleteMessage(item.messageId, item.popReceipt);
    }
    assert.equal((await client.getProperties()).approximateMessagesCount, 0);
  },

  async "a message can be deleted with the receipt of its sending"() {
    const client = await queue();
    const sent = await client.sendMessage("gone");
    await client.deleteMessage(sent.messageId, sent.popReceipt);
    assert.deepEqual(texts(await client.peekMessages()), []);
    await fails(() => client.deleteMessage(sent.messageId, sent.popReceipt), 404, "MessageNotFound");
  },

  async "a peek changes nothing"() {
    const client = await queue();
    await client.sendMessage("seen");
    for (const _ of [1, 2]) {
      const peeked = await client.peekMessages({ numberOfMessages: 5 });
      assert.deepEqual(texts(peeked), ["seen"]);
      assert.equal(peeked.peekedMessageItems[0].dequeueCount, 0);
    }
    await fails(() => client.peekMessages({ numberOfMessages: 33 }), 400);
    await fails(() => client.receiveMessages({ numberOfMessages: 0 }), 400);
  },

  async "an unacknowledged message comes back with a new receipt"() {
    const client = await queue();
    await client.sendMessage("again");
    const [first] = (await client.receiveMessages({ visibilityTimeout: 1 })).receivedMessageItems;
    assert.deepEqual(texts(await client.receiveMessages()), []);
    await sleep(1500);
    const [second] = (await client.receiveMessages()).receivedMessageItems;
    assert.equal(second.messageId, first.messageId);
    assert.equal(second.dequeueCount, 2);
    await fails(() => client.deleteMessage(first.messageId, first.popReceipt), 400, "PopReceiptMismatch");
    await client.deleteMessage(second.messageId, second.popReceipt);
  },

  async "an update changes text receipt and visibility"() {
    const client = await queue();
    await client.sendMessage("draft");
    const [message] = (await client.receiveMessages()).receivedMessageItems;
    const updated = await client.updateMessage(message.messageId, message.popReceipt, "final", 0);
    assert.notEqual(updated.popReceipt, message.popReceipt);
    assert.ok(updated.nextVisibleOn);
    const stale = () => client.updateMessage(message.messageId, message.popReceipt, "x", 0);
    await fails(stale, 400, "PopReceiptMismatch");
    const [again] = (await client.receiveMessages()).receivedMessageItems;
    assert.equal(again.messageText, "final");
    const kept = await client.updateMessage(again.messageId, again.popReceipt, undefined, 0);
    assert.deepEqual(texts(await client.peekMessages()), ["final"]);
    await client.deleteMessage(again.messageId, kept.popReceipt);
  },

  async "text survives as it is"() {
    const client = await queue();
    const sent = ["  spaces  ", "<xml attr='1'>&amp;</xml>", "ümläut ✓ 😀", "line\nbreak\ttab", "x".repeat(65_536)];
    for (const text of sent) {
      await client.sendMessage(text);
    }
    assert.deepEqual(texts(await client.receiveMessages({ numberOfMessages: 32 })), sent);
  },

  async "clear empties the queue"() {
    const client = await queue();
    for (let number = 0; number < 40; number += 1) {
      await client.sendMessage(`${number}`);
    }
    await client.clearMessages();
    assert.deepEqual(texts(await client.peekMessages({ numberOfMessages: 32 })), []);
    assert.equal((await client.getProperties()).approximateMessagesCount, 0);
  },

  async "an update cannot hide a message beyond its expiry"() {
    const client = await queue();
    const sent = await client.sendMessage("short", { messageTimeToLive: 60 });
    const late = () => client.updateMessage(sent.messageId, sent.popReceipt, undefined, 120);
    await fails(late, 400, "InvalidQueryParameterValue");
    await client.updateMessage(sent.messageId, sent.popReceipt, undefined, 30);
  },

  async "a message starts hidden expires or stays for ever"() {
    const client = await queue();
    await client.sendMessage("later", { visibilityTimeout: 1 });
    await client.sendMessage("short", { messageTimeToLive: 1 });
    const forever = await client.sendMessage("forever", { messageTimeToLive: -1 });
    assert.equal(forever.expiresOn.getUTCFullYear(), 9999);
    assert.deepEqual(texts(await client.peekMessages({ numberOfMessages: 5 })), ["short", "forever"]);
    await sleep(1500);
    assert.deepEqual(texts(await client.peekMessages({ numberOfMessages: 5 })), ["later", "forever"]);
    const both = { visibilityTimeout: 10, messageTimeToLive: 10 };
    await fails(() => client.sendMessage("x", both), 400, "InvalidQueryParameterValue");
    await fails(() => client.sendMessage("x", { messageTimeToLive: 0 }), 400, "OutOfRangeQueryParameterValue");
  },

  async "a message made visible again takes its place in the order"() {
    const client = await queue();
    for (const text of ["one", "two", "three"]) {
      await client.sendMessage(text);
    }
    const [first] = (await client.receiveMessages()).receivedMessageItems;
    await client.updateMessage(first.messageId, first.popReceipt, undefined, 0);
    assert.deepEqual(texts(await client.receiveMessages({ numberOfMessages: 3 })), ["one", "two", "three"]);
  },

  async "many takers share the messages among them"() {
    const client = await queue();
    await Promise.all(Array.from({ length: 60 }, (_, number) => client.sendMessage(`${number}`)));
    const take = async () => {
      const taken = [];
      for (;;) {
        const items = (await client.receiveMessages({ numberOfMessages: 4 })).receivedMessageItems;
        if (items.length === 0) {
          return taken;
        }
        for (const item of items) {
          taken.push(item.messageText);
          await client.deleteMessage(item.messageId, item.popReceipt);
        }
      }
    };
    const taken = (await Promise.all([take(), take(), take(), take()])).flat();
    const byNumber = taken.map(Number).sort((a, b) => a - b);
    assert.deepEqual(byNumber, Array.from({ length: 60 }, (_, number) => number));
  },

  async "names and metadata have rules"() {
    for (const name of ["ab", "a".repeat(64), "abc-", "a--b", "a_b"]) {
      const code = name.length >= 3 && name.length <= 63 ? "InvalidResourceName" : "OutOfRangeInput";
      await fails(() => service.createQueue(name), 400, code);
    }
    const client = await queue();
    await fails(() => client.setMetadata({ "a-b": "1" }), 400, "InvalidMetadata");
    await fails(() => client.setMetadata({ a: "v".repeat(8192) }), 400, "MetadataTooLarge");
    await client.setMetadata({});
    assert.deepEqual((await client.getProperties()).metadata ?? {}, {});
  },

  async "texts that cannot be kept are refused"() {
    const client = await queue();
    await fails(() => client.sendMessage("x".repeat(65_537)), 400, "MessageTooLarge");
    await fails(() => client.sendMessage("a\u0001b"), 400, "InvalidXmlDocument");
    assert.deepEqual(texts(await client.peekMessages()), []);
  },

  async "a missing queue is not found"() {
    const client = service.getQueueClient(unique("missing"));
    await fails(() => client.sendMessage("x"), 404, "QueueNotFound");
    await fails(() => client.receiveMessages(), 404, "QueueNotFound");
    await fails(() => client.clearMessages(), 404, "QueueNotFound");
    await fails(() => client.getProperties(), 404);
    await fails(() => service.createQueue("Not--A-Name"), 400);
  },
});
