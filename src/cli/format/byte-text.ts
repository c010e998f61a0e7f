/** Names of files, which are bytes, as text for people: UTF-8 as it is, other bytes and control characters as `\xNN`. */
export function byteText(bytes: Uint8Array): string {
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes);
  const whole = text.includes("\ufffd") ? Buffer.from(bytes).toString("latin1") : text;
  const escaped = whole === text ? controls : controlsAndBytes;
  return whole.replace(escaped, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a name must not drive the terminal, nor end the line
const controls = /[\x00-\x1f\x7f-\x9f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const controlsAndBytes = /[\x00-\x1f\x7f-\xff]/g;
