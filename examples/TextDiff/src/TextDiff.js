'use strict';

/** What changed between two texts: the parts that stay, come and go, and a patch. */

const diff = require('diff');

const MOST_CHARACTERS = 100_000;
const LONGEST_MS = 10_000;
const BY = { line: diff.diffLines, word: diff.diffWordsWithSpace, character: diff.diffChars };

class InputError extends Error {}
class TooLargeError extends Error {}

function parsed(input) {
  const { before, after, by = 'line' } = input ?? {};
  if (typeof before !== 'string' || typeof after !== 'string') {
    throw new InputError('Give two texts, `before` and `after`.');
  }
  if (!Object.hasOwn(BY, by)) {
    throw new InputError(`\`by\` is one of ${Object.keys(BY).join(', ')}.`);
  }
  if (before.length > MOST_CHARACTERS || after.length > MOST_CHARACTERS) {
    throw new TooLargeError(`A text has more than ${MOST_CHARACTERS} characters.`);
  }
  return { before, after, by };
}

function kind(part) {
  if (part.added) return 'added';
  return part.removed ? 'removed' : 'same';
}

/** Compare two texts. */
exports.apply = function (input) {
  const { before, after, by } = parsed(input);
  const found = BY[by](before, after, { timeout: LONGEST_MS });
  if (found === undefined) {
    throw new TooLargeError('The texts differ too much to be compared this finely in 10 seconds.');
  }
  const parts = found.map((part) => ({ kind: kind(part), text: part.value }));
  const count = (wanted) => found
    .filter((part) => kind(part) === wanted)
    .reduce((sum, part) => sum + part.count, 0);
  const [added, removed, same] = ['added', 'removed', 'same'].map(count);
  const all = added + removed + 2 * same;
  return {
    parts,
    added,
    removed,
    similarity: all ? Number(((2 * same) / all).toFixed(4)) : 1,
    patch: diff.createTwoFilesPatch('before', 'after', before, after),
  };
};
