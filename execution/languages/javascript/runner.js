'use strict';

/** Serves one JavaScript version inside its sandbox: `node runner.js WIRE RESULT_BYTES`. */

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { registerHooks } = require('node:module');

const ROOT = '/algorithm';
const SCRATCH = ['/tmp', '/dev/shm'];
const MIB = 1024 * 1024;
const TYPES = new Set([
  'InputError', 'UnsupportedError', 'InitializationError', 'OutOfMemoryError',
  'OutOfGpuMemoryError', 'LanguageError', 'TooLargeError', 'ParsingError',
  'EntityNotFoundError', 'ThirdPartyCredentialError', 'AlgorithmError',
]);
const MESSAGE_LIMIT = 10_000;
const STACKTRACE_LIMIT = 20_000;
const FRAME_LIMIT = 16 * MIB;

const [wire, resultBytes] = process.argv.slice(2).map(Number);
process.argv.splice(1, Infinity, 'algorithm');
const { exit } = process;

/** A value that no payload can carry; the message says why. */
class NotCarried extends Error {}

/** The version's code can't be served; the message says why. */
class LoadFailed extends Error {}

// Frames, as execution/sandbox/wire.py has them.

class Connection {
  constructor(fd) {
    this.answers = new Map();
    this.runs = [];
    this.waiting = null;
    this.chunks = [];
    this.held = 0;
    this.calls = 0;
    this.socket = new net.Socket({ fd, readable: true, writable: true });
    this.socket.on('data', (chunk) => this.receive(chunk));
    this.socket.on('close', () => exit(0));
    this.socket.on('error', () => exit(0));
  }

  send(header, body = Buffer.alloc(0)) {
    const head = Buffer.from(JSON.stringify(header));
    const prefix = Buffer.alloc(6);
    prefix.writeUInt32BE(2 + head.length + body.length, 0);
    prefix.writeUInt16BE(head.length, 4);
    this.socket.write(Buffer.concat([prefix, head, body]));
  }

  /** Promise the next frame that is no answer. */
  next() {
    if (this.runs.length) return Promise.resolve(this.runs.shift());
    return new Promise((resolve) => { this.waiting = resolve; });
  }

  /** Send a nested call and promise its answer. */
  ask(header, body) {
    this.calls += 1;
    const id = this.calls;
    this.send({ ...header, kind: 'call', id }, body);
    return new Promise((resolve) => { this.answers.set(id, resolve); });
  }

  receive(chunk) {
    this.chunks.push(chunk);
    this.held += chunk.length;
    while (this.held >= 6) {
      if (this.chunks[0].length < 6) this.chunks = [Buffer.concat(this.chunks)];
      const end = 4 + this.chunks[0].readUInt32BE(0);
      if (this.held < end) return;
      const all = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
      const bodyAt = 6 + all.readUInt16BE(4);
      this.chunks = all.length > end ? [all.subarray(end)] : [];
      this.held -= end;
      this.take(JSON.parse(all.subarray(6, bodyAt).toString()), all.subarray(bodyAt, end));
    }
  }

  take(header, body) {
    if (header.kind === 'answer') {
      const resolve = this.answers.get(header.id);
      this.answers.delete(header.id);
      if (resolve) resolve([header, body]);
    } else if (this.waiting) {
      const resolve = this.waiting;
      this.waiting = null;
      resolve([header, body]);
    } else {
      this.runs.push([header, body]);
    }
  }
}

// Values.

function toValue(type, body) {
  if (type === 'binary') return Buffer.from(body);
  if (type === 'text') return body.toString();
  return type === 'void' ? null : JSON.parse(body.toString());
}

/** Give the content type and bytes of a value. */
function toPayload(value) {
  if (ArrayBuffer.isView(value)) {
    return ['binary', Buffer.from(value.buffer, value.byteOffset, value.byteLength)];
  }
  if (value instanceof ArrayBuffer) return ['binary', Buffer.from(value)];
  if (typeof value === 'string') return ['text', written(value)];
  let text;
  try {
    text = JSON.stringify(value === undefined ? null : value);
  } catch (error) {
    throw new NotCarried(`The result can't be returned: ${error.message.split('\n')[0]}.`);
  }
  if (text === undefined) {
    throw new NotCarried(`JSON can't carry a value of type ${typeof value}.`);
  }
  return ['json', written(text)];
}

function written(text) {
  if (!text.isWellFormed()) {
    throw new NotCarried("The result holds text that isn't valid Unicode (a lone surrogate).");
  }
  return Buffer.from(text);
}

// What went wrong.

/** Give what the author threw, or handed to the callback, as type, message and their frames. */
function describe(thrown) {
  const isError = thrown instanceof Error;
  const isObject = typeof thrown === 'object' && thrown !== null;
  const names = isError
    ? [thrown.name, thrown.constructor?.name]
    : [thrown?.type, thrown?.error_type, thrown?.name];
  const named = names.find((name) => TYPES.has(name));
  let message = isObject ? thrown.message : thrown;
  if (isObject && typeof message !== 'string') message = JSON.stringify(thrown);
  message = String(message) || names.find(Boolean) || 'The algorithm failed.';
  return {
    type: named || 'AlgorithmError',
    message: message.slice(0, MESSAGE_LIMIT),
    stacktrace: isError ? frames(thrown).slice(-STACKTRACE_LIMIT) : '',
  };
}

function frames(error) {
  const lines = String(error.stack || '').split('\n');
  const first = lines.findIndex((line) => line.startsWith('    at '));
  const head = first < 0 ? lines : lines.slice(0, first);
  const own = lines.slice(head.length).filter((line) => line.includes(`${ROOT}/`));
  if (!own.length && !head[0].startsWith(ROOT)) return '';
  return [...head, ...own].join('\n').replaceAll(`file://${ROOT}/`, '').replaceAll(`${ROOT}/`, '');
}

function loadReason(error) {
  if (error instanceof LoadFailed) return error.message;
  const told = describe(error).message.split('\n')[0];
  if (['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND'].includes(error?.code)) {
    return `${told}. Is it missing from package.json?`;
  }
  return error instanceof Error ? `${error.name}: ${told}` : told;
}

const failure = (type, message) => Buffer.from(JSON.stringify({ type, message, stacktrace: '' }));

// What a run leaves behind.

class Scratch {
  constructor() {
    this.kept = new Set(this.paths());
  }

  /** Every path in the scratch folders, the deepest first. */
  paths() {
    const found = [];
    const walk = (folder) => {
      for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
        const place = path.join(folder, entry.name);
        if (entry.isDirectory()) walk(place);
        found.push(place);
      }
    };
    for (const top of SCRATCH) walk(top);
    return found;
  }

  /** Remove what the run left; false where some of it stays. */
  tidy() {
    // Not by the folders' times, which on older kernels are too coarse to tell.
    try {
      for (const place of this.paths()) {
        if (this.kept.has(place)) continue;
        if (fs.lstatSync(place).isDirectory()) fs.rmdirSync(place);
        else fs.unlinkSync(place);
      }
      return true;
    } catch {
      return false;
    }
  }
}

const active = () => process.getActiveResourcesInfo().sort().join();
const nextTurn = () => new Promise((resolve) => { setImmediate(resolve); });

/** Whether something still goes on that didn't when the version was loaded. */
async function goesOn(before) {
  // What has just called back counts until its own turn has ended.
  for (let turn = 0; turn < 2 && active() !== before; turn += 1) await nextTurn();
  return active() !== before;
}

// The version.

async function load(name) {
  const file = ['js', 'mjs', 'cjs'].map((end) => `${ROOT}/src/${name}.${end}`).find(fs.existsSync);
  if (!file) throw new LoadFailed(`src/${name}.js is not there.`);
  registerHooks({
    resolve: (wanted, context, next) => (wanted === 'algorium'
      ? { url: 'file:///runner/modules/algorium.js', format: 'commonjs', shortCircuit: true }
      : next(wanted, context)),
  });
  let module_ = require(file);
  if (module_.default && !module_.apply) module_ = module_.default;
  const isFunction = typeof module_ === 'function' && !Object.hasOwn(module_, 'apply');
  const apply = isFunction ? module_ : module_.apply;
  if (typeof apply !== 'function') {
    throw new LoadFailed(`src/${name}.js exports no function apply(input).`);
  }
  if (typeof module_.load !== 'function') return (input) => invoke(apply, [input]);
  const state = await module_.load();
  return (input) => invoke(apply, [input, state]);
}

let fail = null; // how the run under way is told of what nobody caught

/** Promise what the author's function returns, promises, or hands to its callback. */
function invoke(apply, given) {
  return new Promise((resolve, reject) => {
    fail = reject;
    const callback = (error, result) => {
      if (error === null || error === undefined) resolve(result);
      else reject(error);
    };
    const mayCallBack = apply.length > given.length;
    const settle = (value) => {
      if (!mayCallBack || value !== undefined) resolve(value);
    };
    try {
      const returned = apply(...given, callback);
      if (typeof returned?.then === 'function') returned.then(settle, reject);
      else settle(returned);
    } catch (error) {
      reject(error);
    }
  });
}

async function run(apply, header, body) {
  const reply = { id: header.id };
  let data;
  try {
    [reply.type, data] = toPayload(await apply(toValue(header.type, body)));
    reply.kind = 'result';
    if (data.length > resultBytes) {
      const [size, most] = [(data.length / MIB).toFixed(1), resultBytes / MIB];
      reply.kind = 'error';
      data = failure('TooLargeError', `The result has ${size} MiB; at most ${most} can be returned.`);
    }
  } catch (error) {
    reply.kind = 'error';
    data = error instanceof NotCarried
      ? failure('ParsingError', error.message)
      : Buffer.from(JSON.stringify(describe(error)));
  }
  fail = null;
  return [reply, data];
}

async function serve() {
  const connection = new Connection(wire);
  let uncaught = false;
  process.on('uncaughtException', (error) => {
    uncaught = true;
    if (fail) fail(error);
    else {
      process.stderr.write(`${describe(error).stacktrace || error}\n`);
      exit(1);
    }
  });
  connection.send({ kind: 'hello' });
  const [start] = await connection.next();
  globalThis[Symbol.for('algorium.call')] = async (ref, value, timeout) => {
    if (!start.calls_others) {
      const message = "This version wasn't published with the permission to call others.";
      return { error: 'UnsupportedError', message };
    }
    const [type, data] = toPayload(value);
    if (data.length > FRAME_LIMIT) return { error: 'ParsingError', message: 'The input is too large.' };
    const [header, body] = await connection.ask({ ref, type, timeout }, data);
    if (header.error) return { error: header.error, message: body.toString() };
    return { value: toValue(header.type, body) };
  };
  let apply;
  try {
    apply = await load(start.name);
  } catch (error) {
    const told = { ...describe(error), message: loadReason(error) };
    connection.send({ kind: 'failed' }, Buffer.from(JSON.stringify(told)));
    connection.socket.end(() => exit(0));
    return;
  }
  // Both exist from now on, so that the first print of a run is no change.
  void [process.stdout, process.stderr];
  const scratch = new Scratch();
  const before = active();
  connection.send({ kind: 'loaded' });
  for (;;) {
    const [reply, data] = await run(apply, ...await connection.next());
    reply.left = uncaught || await goesOn(before) || !scratch.tidy();
    connection.send(reply, data);
  }
}

serve();
