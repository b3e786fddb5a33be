const fs = require('node:fs');
const algorium = require('algorium');
const { spawn } = require('node:child_process');

class InputError extends Error {}

exports.load = function () {
  fs.writeFileSync('/tmp/kept', '');
  return { runs: 0 };
};

exports.apply = async function (value, state) {
  state.runs += 1;
  switch (value?.do) {
    case 'count':
      return state.runs;
    case 'refuse':
      throw new InputError('too small');
    case 'fail':
      throw new RangeError('out of luck');
    case 'print':
      console.log('one');
      console.error('two');
      return null;
    case 'write':
      fs.writeSync(1, 'straight');
      return null;
    case 'bytes':
      return Buffer.alloc(2 * value.half, Buffer.from([0, 255]));
    case 'scratch': {
      const found = fs.readdirSync('/tmp').sort();
      fs.mkdirSync('/tmp/left/deep', { recursive: true });
      fs.writeFileSync('/tmp/left/deep/file', '');
      return found;
    }
    case 'status':
      return fs.readFileSync('/proc/self/status', 'utf8');
    case 'leave':
      spawn('sleep', ['60'], { detached: true, stdio: 'ignore' }).unref();
      return null;
    case 'call':
      return algorium.call(value.name, value.with, { timeout: 5 });
    case 'exit':
      return process.exit(3);
    case 'hang':
      for (;;);
    case 'fill': {
      const held = [];
      for (let n = 0; n < 4096; n += 1) held.push(Buffer.alloc(2 ** 20, n % 256));
      return held.length;
    }
    default:
      return value;
  }
};
