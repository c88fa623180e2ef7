// `azure-storage`, the JavaScript client before the present one, which speaks 2018-03-28: how programs of its time are
// called from programs of ours.

import { strict as assert } from "node:assert";
import { promisify } from "node:util";

import { require } from "./runner.mjs";

export const older = require("azure-storage");

// The methods of one of its services by their names: as a promise, and as one that must fail in this way.
export function callsOf(service) {
  const call = (name, ...rest) => promisify(service[name]).call(service, ...rest);
  const refused = (statusCode, code, name, ...rest) =>
    assert.rejects(call(name, ...rest), (error) => {
      assert.equal(error.statusCode, statusCode, String(error));
      assert.equal(error.code, code);
      return true;
    });
  return { call, refused };
}
