/** Where the members of a tar file lie, found by reading headers and seeking over what is between them. */
import { fstatSync, readSync } from "node:fs";
import { posix } from "node:path";
import { byteString } from "../../layer/byte-string.ts";
import { type Extensions, noExtensions, pathOf, sizeOf } from "../../layer/tar/extensions.ts";
import { blockSize, isZeroBlock, type RawHeader, readHeader } from "../../layer/tar/header.ts";
import { invalidArchive } from "../../layer/tar/invalid.ts";
import { parsePax } from "../../layer/tar/pax.ts";

export interface TarMember {
  /** Of the content in the file. */
  readonly offset: number;
  readonly size: number;
}

/** More than any tool writes into one extension header; names are limited to PATH_MAX by their users. */
const maxExtensionBytes = 1024 * 1024;
const maxMembers = 100_000;

/**
 * Regular files by their names, without a leading `./`; the last of a name counts. Links that `docker save` writes for
 * layers that are there twice name the same content.
 * @throws DevboxError LAYER_INVALID at the place where the file is no tar archive
 */
export function indexTar(fd: number): ReadonlyMap<string, TarMember> {
  const members = new Map<string, TarMember>();
  const links: { path: string; target: string }[] = [];
  for (const { header, extensions, path, member } of entriesOf(fd)) {
    if (isFile(header)) members.set(path, member);
    else if (isLink(header)) links.push({ path, target: targetOf(header, extensions, path) });
    if (members.size + links.length > maxMembers) {
      throw invalidArchive(`it has more than ${maxMembers} members`, member.offset);
    }
  }
  for (const { path, target } of links) {
    const member = members.get(target);
    if (member !== undefined) members.set(path, member);
  }
  return members;
}

interface Entry {
  readonly header: RawHeader;
  readonly extensions: Extensions;
  readonly path: string;
  readonly member: TarMember;
}

function* entriesOf(fd: number): Generator<Entry> {
  const fileBytes = fstatSync(fd).size;
  let extensions = noExtensions();
  for (let offset = 0; ; ) {
    const block = readBlock(fd, offset);
    if (block === undefined || isZeroBlock(block)) return;
    const header = readHeader(block, offset);
    const described = { header, extensions, globals: [], offset };
    const member = { offset: offset + blockSize, size: hasContent(header) ? sizeOf(described) : 0 };
    if (member.offset + member.size > fileBytes)
      throw invalidArchive("the file ends in the middle of a member", offset);
    offset = member.offset + Math.ceil(member.size / blockSize) * blockSize;
    if (isExtension(header)) extend(extensions, header, readExtension(fd, member), offset);
    else {
      yield { header, extensions, path: cleanName(pathOf(described)), member };
      extensions = noExtensions();
    }
  }
}

function isFile({ flag }: RawHeader): boolean {
  return flag === "0" || flag === "\0" || flag === "7";
}

function isLink({ flag }: RawHeader): boolean {
  return flag === "1" || flag === "2";
}

function isExtension({ flag }: RawHeader): boolean {
  return flag === "x" || flag === "g" || flag === "L" || flag === "K";
}

function hasContent(header: RawHeader): boolean {
  return isFile(header) || isExtension(header) || header.flag === "S";
}

function extend(extensions: Extensions, { flag }: RawHeader, content: Buffer, offset: number): void {
  if (flag === "x") extensions.pax = parsePax(content, offset);
  if (flag === "L") extensions.longPath = textOf(content);
  if (flag === "K") extensions.longLink = textOf(content);
}

function textOf(content: Buffer): ReturnType<typeof byteString> {
  const nul = content.indexOf(0);
  return byteString(nul === -1 ? content : content.subarray(0, nul));
}

function cleanName(path: string): string {
  return path.replace(/^(?:\.?\/)+/, "");
}

/** A hard link names a member, a symbolic link a path relative to its own directory. */
function targetOf(header: RawHeader, extensions: Extensions, path: string): string {
  const target = extensions.longLink ?? header.linkTarget;
  return header.flag === "1" ? cleanName(target) : posix.resolve("/", posix.dirname(path), target).slice(1);
}

function readBlock(fd: number, offset: number): Buffer | undefined {
  const block = Buffer.alloc(blockSize);
  const length = readSync(fd, block, 0, blockSize, offset);
  if (length !== 0 && length < blockSize) throw invalidArchive("the file ends in the middle of a header", offset);
  return length === 0 ? undefined : block;
}

function readExtension(fd: number, { offset, size }: TarMember): Buffer {
  if (size > maxExtensionBytes) throw invalidArchive(`an extension header has ${size} bytes`, offset);
  const content = Buffer.alloc(size);
  if (readSync(fd, content, 0, size, offset) < size)
    throw invalidArchive("the file ends in an extension header", offset);
  return content;
}
