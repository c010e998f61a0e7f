/** What a tar that devbox makes of a layer or an archive must be (image-spec layer.md, pax(1) of POSIX), told by reading its headers. */

export interface TarMember {
  /** Raw bytes as latin1, without the slash behind a directory and the `./` in front. */
  readonly path: string;
  readonly type: string;
  readonly link: string;
  readonly mtime: number;
  readonly content: Uint8Array;
}

const block = 512;

/** @throws Error where it is no ustar with pax headers, or does not end as one. */
export function readMembers(tar: Uint8Array): readonly TarMember[] {
  const bytes = Buffer.from(tar.buffer, tar.byteOffset, tar.byteLength);
  const members: TarMember[] = [];
  let pax = new Map<string, string>();
  let at = 0;
  while (at < bytes.length && bytes[at] !== 0) {
    const header = bytes.subarray(at, at + block);
    const field = (from: number, length: number): string =>
      header.toString("latin1", from, from + length).replace(/\0.*$/s, "");
    const octal = (from: number, length: number): number => {
      const digits = field(from, length).trim();
      if (!/^[0-7]+$/.test(digits)) throw new Error(`at ${at}: ${JSON.stringify(digits)} is no octal number`);
      return Number.parseInt(digits, 8);
    };
    if (header.toString("latin1", 257, 265) !== "ustar\x0000") throw new Error(`at ${at}: not ustar`);
    const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
    if (octal(148, 8) !== sum) throw new Error(`at ${at}: the checksum is ${sum}`);
    const type = field(156, 1);
    const size = Number(pax.get("size") ?? octal(124, 12));
    const content = bytes.subarray(at + block, at + block + size);
    if (type === "x") pax = readPax(content);
    else {
      if (!/^[0-6]$/.test(type)) throw new Error(`at ${at}: type ${JSON.stringify(type)}`);
      const prefix = field(345, 155);
      const path = pax.get("path") ?? (prefix === "" ? field(0, 100) : `${prefix}/${field(0, 100)}`);
      const mtime = Number(pax.get("mtime") ?? octal(136, 12));
      members.push({ path: plain(path), type, link: pax.get("linkpath") ?? field(157, 100), mtime, content });
      pax = new Map();
    }
    at += block + Math.ceil(size / block) * block;
  }
  const rest = bytes.subarray(at);
  if (rest.length < 2 * block || rest.some((byte) => byte !== 0))
    throw new Error("it does not end with two blocks of zeros");
  return members;
}

/** `LENGTH KEY=VALUE\n`, one after the other. */
function readPax(content: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < content.length) {
    const space = content.indexOf(0x20, at);
    const length = Number(content.toString("latin1", at, space));
    const record = content.toString("latin1", space + 1, at + length);
    const equals = record.indexOf("=");
    if (equals < 1 || !record.endsWith("\n")) throw new Error(`a pax record ${JSON.stringify(record)}`);
    records.set(record.slice(0, equals), record.slice(equals + 1, -1));
    at += length;
  }
  return records;
}

function plain(path: string): string {
  return path.replace(/^\.\//, "").replace(/\/$/, "");
}

/**
 * Whatever order a reader goes by, it makes one tree of it: each path once, a directory and the target of a hard link before what
 * needs it, whiteouts before the siblings that they might hide ("Whiteouts": "SHOULD … appear before sibling directory entries").
 */
export function layerFaults(tar: Uint8Array, at: string): readonly string[] {
  let members: readonly TarMember[];
  try {
    members = readMembers(tar);
  } catch (error) {
    return [`${at}: ${String(error)}`];
  }
  const faults: string[] = [];
  const seen = new Set<string>();
  const parents = new Set<string>();
  for (const { path, type, link } of members) {
    const shown = `${at}: ${JSON.stringify(path)}`;
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (seen.has(path)) faults.push(`${shown} is there twice`);
    if (path.startsWith("/") || path.split("/").includes("..")) faults.push(`${shown} leads elsewhere`);
    if (type === "1" && !seen.has(plain(link))) faults.push(`${shown} is a link to what is not there yet: ${link}`);
    if (type === "5" && parents.has(path)) faults.push(`${shown} comes after what is in it`);
    const hidden = name.startsWith(".wh.") ? (name === ".wh..wh..opq" ? [] : [name.slice(4)]) : [];
    for (const each of hidden) {
      if (seen.has(parent === "" ? each : `${parent}/${each}`)) faults.push(`${shown} hides what is before it`);
    }
    if (name === ".wh..wh..opq" && parents.has(parent)) faults.push(`${shown} comes after what it may hide`);
    seen.add(path);
    for (let above = parent; ; above = above.slice(0, Math.max(0, above.lastIndexOf("/")))) {
      parents.add(above);
      if (above === "") break;
    }
  }
  return faults;
}
