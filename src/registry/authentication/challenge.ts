/** WWW-Authenticate (RFC 9110 section 11.6.1): a list of challenges, each a scheme with parameters or a token68. */

export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const isTokenChar = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/;
const isToken68Char = /[A-Za-z0-9\-._~+/]/;

/**
 * Read the values of all WWW-Authenticate headers. Several challenges may share a header, separated by the same comma
 * as their parameters: a word followed by `=` is a parameter, any other word starts a challenge. Never throws; what
 * cannot be read is left out, as a registry with a strange second challenge may still have a good first one.
 */
export function parseChallenges(headers: readonly string[]): readonly Challenge[] {
  return headers.flatMap(parseHeader);
}

function parseHeader(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const cursor = { text: header, at: 0 };
  while (cursor.at < header.length) {
    skip(cursor, /[\s,]/);
    const word = take(cursor, isTokenChar);
    if (word === "") {
      cursor.at++;
      continue;
    }
    const afterWord = cursor.at;
    skip(cursor, /\s/);
    const current = challenges.at(-1);
    if (cursor.text[cursor.at] === "=" && current !== undefined) {
      cursor.at++;
      skip(cursor, /\s/);
      addParameter(current.parameters, word.toLowerCase(), takeValue(cursor));
    } else {
      challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
      if (cursor.at > afterWord) skipToken68(cursor);
    }
  }
  return challenges;
}

interface Cursor {
  readonly text: string;
  at: number;
}

/** A parameter must occur once (RFC 9110 section 11.2); the first stands. */
function addParameter(parameters: Map<string, string>, name: string, value: string): void {
  if (!parameters.has(name)) parameters.set(name, value);
}

function take(cursor: Cursor, allowed: RegExp): string {
  const start = cursor.at;
  while (cursor.at < cursor.text.length && allowed.test(cursor.text.charAt(cursor.at))) cursor.at++;
  return cursor.text.slice(start, cursor.at);
}

function skip(cursor: Cursor, allowed: RegExp): void {
  take(cursor, allowed);
}

/** A quoted string, or a bare value up to the next comma or space: some registries do not quote their realm URL. */
function takeValue(cursor: Cursor): string {
  if (cursor.text[cursor.at] !== '"') return take(cursor, /[^\s,]/);
  let value = "";
  for (cursor.at++; cursor.at < cursor.text.length; cursor.at++) {
    const char = cursor.text.charAt(cursor.at);
    if (char === '"') {
      cursor.at++;
      break;
    }
    value += char === "\\" ? cursor.text.charAt(++cursor.at) : char;
  }
  return value;
}

/** `Negotiate YII=`: credentials in place of parameters, which no registry scheme uses. */
function skipToken68(cursor: Cursor): void {
  const start = cursor.at;
  skip(cursor, isToken68Char);
  skip(cursor, /=/);
  const end = cursor.at;
  skip(cursor, /\s/);
  const isWhole = end > start && (cursor.at === cursor.text.length || cursor.text[cursor.at] === ",");
  if (!isWhole) cursor.at = start;
}
