'use strict';

/**
 * For algorithms: call other algorithms, as the person who called this one.
 *
 *     const algorium = require('algorium');
 *     const greeting = await algorium.call('alice/Hello/1.0.0', 'Bob', { timeout: 10 });
 */

/** A nested call gave no result: `type` is the error's type, such as "InputError". */
class CallError extends Error {
  constructor(type, message) {
    super(message);
    this.name = 'CallError';
    this.type = type;
  }
}

/**
 * Promise what `reference` ("owner/name" or "owner/name/version") answers to `value`.
 * Text, buffers and whatever JSON can carry go in and come out. `timeout` is in seconds.
 */
async function call(reference, value = null, { timeout = null } = {}) {
  const answer = await globalThis[Symbol.for('algorium.call')](String(reference), value, timeout);
  if (answer.error) throw new CallError(answer.error, answer.message);
  return answer.value;
}

module.exports = { call, CallError };
