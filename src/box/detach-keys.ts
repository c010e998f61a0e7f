/** The keys that leave a box running (docker's --detach-keys): what they are, and how they are found in what is typed. */
import { DevboxError } from "../core/errors.ts";

export const defaultDetachKeys = "ctrl-p,ctrl-q";

/** Of names in ASCII (docker's moby/term, ToBytes): ctrl-a … ctrl-z, and five more. */
const controls: Readonly<Record<string, number>> = { "@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, _: 31 };

/**
 * Bytes of a sequence of keys: letters, and `ctrl-` with a letter or one of `@ [ \ ] ^ _`, with commas between.
 * Empty: nothing detaches.
 * @throws DevboxError USAGE
 */
export function parseDetachKeys(text: string): Uint8Array {
  if (text === "") return new Uint8Array();
  return Uint8Array.from(text.split(","), (key) => {
    const code = keyCode(key);
    if (code !== undefined) return code;
    throw new DevboxError("USAGE", {
      step: `read --detach-keys ${text}`,
      because: `${JSON.stringify(key)} is not a key`,
      hint: `for example --detach-keys ${defaultDetachKeys}`,
    });
  });
}

function keyCode(key: string): number | undefined {
  if (key.length === 1) {
    const code = key.charCodeAt(0);
    return code < 128 ? code : undefined;
  }
  const letter = /^ctrl-(.)$/i.exec(key)?.[1]?.toLowerCase();
  if (letter === undefined) return undefined;
  return /^[a-z]$/.test(letter) ? letter.charCodeAt(0) - 96 : controls[letter];
}

export interface DetachScanner {
  /** What of the bytes is for the box, and whether the keys were typed to their end: what follows is dropped then. */
  scan(bytes: Uint8Array): { readonly pass: Uint8Array; readonly detached: boolean };
}

/** Keys that begin the sequence are held back until it is clear that they are meant for the box. */
export function detachScanner(keys: Uint8Array): DetachScanner {
  const held: number[] = [];
  return {
    scan(bytes) {
      if (keys.length === 0) return { pass: bytes, detached: false };
      const pass: number[] = [];
      for (const byte of bytes) {
        held.push(byte);
        // What is left may be the beginning again: `a,a,b` within `aaab`.
        while (!held.every((each, index) => each === keys[index])) pass.push(held.shift() ?? 0);
        if (held.length === keys.length) return { pass: Uint8Array.from(pass), detached: true };
      }
      return { pass: Uint8Array.from(pass), detached: false };
    },
  };
}
