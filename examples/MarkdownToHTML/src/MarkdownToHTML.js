'use strict';

/** Markdown as HTML that is safe to show: no markup of the writer's own, no script addresses. */

const MarkdownIt = require('markdown-it');

const MOST_CHARACTERS = 200_000;

class InputError extends Error {}
class TooLargeError extends Error {}

/** Give the text of an inline token as a reader sees it. */
function readable(token) {
  return token.children
    .map((child) => (child.type.endsWith('break') ? ' ' : child.content))
    .join('')
    .trim();
}

/** List the headings of a document in their order. */
function headings(tokens) {
  return tokens.flatMap((token, at) => (token.type === 'heading_open'
    ? [{ level: Number(token.tag.slice(1)), text: readable(tokens[at + 1]) }]
    : []));
}

/** List the addresses that a document links to, each once. */
function links(tokens) {
  const found = tokens
    .flatMap((token) => token.children ?? [])
    .filter((child) => child.type === 'link_open')
    .map((child) => child.attrGet('href'));
  return [...new Set(found)];
}

function parsed(input) {
  const request = typeof input === 'string' ? { document: input } : input;
  if (typeof request !== 'object' || request === null || typeof request.document !== 'string') {
    throw new InputError('Give the Markdown text as `document`.');
  }
  for (const name of ['typographer', 'breaks']) {
    if (request[name] !== undefined && typeof request[name] !== 'boolean') {
      throw new InputError(`\`${name}\` is true or false.`);
    }
  }
  if (request.document.length > MOST_CHARACTERS) {
    throw new TooLargeError(`The document has more than ${MOST_CHARACTERS} characters.`);
  }
  return request;
}

/** Convert one document. */
exports.apply = function (input) {
  const { document, typographer = false, breaks = false } = parsed(input);
  const converter = new MarkdownIt({ html: false, linkify: true, typographer, breaks });
  const environment = {};
  const tokens = converter.parse(document, environment);
  return {
    html: converter.renderer.render(tokens, converter.options, environment),
    headings: headings(tokens),
    links: links(tokens),
  };
};
