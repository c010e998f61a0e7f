import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseMountFlag, parseTmpfsFlag, parseVolumeFlag } from "../../../src/bundle/mount-flags.ts";
import type { MountRequest } from "../../../src/bundle/options.ts";
import { failureOf } from "../../helpers/failure.ts";

const bind = (changes: Partial<Extract<MountRequest, { kind: "bind" }>>): MountRequest => ({
  kind: "bind",
  source: "/a",
  target: "/b",
  readonly: false,
  createSource: true,
  recursive: true,
  ...changes,
});

const volume = (changes: Partial<Extract<MountRequest, { kind: "volume" }>>): MountRequest => ({
  kind: "volume",
  name: "data",
  target: "/b",
  readonly: false,
  noCopy: false,
  ...changes,
});

describe("-v", () => {
  test.each<[string, MountRequest]>([
    ["/a:/b", bind({})],
    ["/a:/b:ro", bind({ readonly: true })],
    ["/a:/b:ro,rw", bind({})],
    ["/a/../c/:/b/./d/", bind({ source: "/c", target: "/b/d" })],
    ["./x:/b", bind({ source: "/work/x" })],
    ["..:/b", bind({ source: "/" })],
    [".:/b", bind({ source: "/work" })],
    ["/a:/b:rshared,z,cached", bind({ propagation: "rshared" })],
    ["/a:/b:bind", bind({ recursive: false })],
    ["/b", { kind: "anonymous", target: "/b" }],
    ["data:/b", volume({})],
    ["my.data_1:/b:ro,nocopy", volume({ name: "my.data_1", readonly: true, noCopy: true })],
    ["data:/b:z", volume({})],
  ])("%s", (text, request) => expect(parseVolumeFlag(text, "/work")).toEqual(request));

  test.each([
    ["a/b:/b", "write ./a/b"],
    ["d:/b", "two at least"],
    ["data:/b:rshared", "no propagation"],
    [".hidden:/b", "write ./.hidden"],
    [":/b", "source is empty"],
    ["/a:b", 'target "b" is not an absolute path'],
    ["/a:", 'target "" is not an absolute path'],
    ["/a:/", "root of the box"],
    ["/a:/b/..", "root of the box"],
    ["/a:/b:ro:x", "more than three parts"],
    ["/a:/b:U", 'option "U"'],
    ["data", "not an absolute path"],
    ["", "not an absolute path"],
  ])("%p is refused", (text, reason) => {
    const error = failureOf(() => parseVolumeFlag(text, "/work"));
    expect(error.code).toBe("USAGE");
    expect(error.because).toContain(reason);
  });
});

describe("--mount", () => {
  test.each<[string, MountRequest]>([
    ["type=bind,source=/a,target=/b", bind({ createSource: false })],
    ["dst=/b,src=a,type=bind,ro", bind({ source: "/work/a", createSource: false, readonly: true })],
    ["type=bind,src=/a,destination=/b,readonly=false", bind({ createSource: false })],
    [
      "type=bind,src=/a,dst=/b,bind-propagation=rslave,bind-nonrecursive",
      bind({ createSource: false, propagation: "rslave", recursive: false }),
    ],
    ["type=bind,src=/a,dst=/b,bind-recursive=disabled,bind-create-src", bind({ recursive: false })],
    ['type=bind,"src=/a,""b""",dst=/b', bind({ source: '/a,"b"', createSource: false })],
    ["type=tmpfs,dst=/b", { kind: "tmpfs", target: "/b", options: [] }],
    [
      "type=tmpfs,dst=/b,tmpfs-size=64MB,tmpfs-mode=1770,ro",
      { kind: "tmpfs", target: "/b", options: ["ro", "size=64m", "mode=1770"] },
    ],
    ["type=volume,dst=/b", { kind: "anonymous", target: "/b" }],
    ["dst=/b", { kind: "anonymous", target: "/b" }],
    ["type=volume,src=data,dst=/b", volume({})],
    ["source=data,dst=/b,ro,volume-nocopy", volume({ readonly: true, noCopy: true })],
  ])("%s", (text, request) => expect(parseMountFlag(text, "/work")).toEqual(request));

  test.each([
    ["type=bind,source=/a", "no target"],
    ["type=bind,target=/b", "needs a source"],
    ["type=bind,source=,target=/b", "needs a source"],
    ["type=npipe,source=/a,target=/b", 'type "npipe" is unknown'],
    ["type=volume,source=./data,target=/b", "no name of a volume"],
    ["type=volume,target=/b,ro", "nobody could write"],
    ["type=tmpfs,source=/a,target=/b", "no source"],
    ["type=bind,source=/a,target=/b,tmpfs-size=1", 'key "size" is unknown for type=bind'],
    ["type=bind,source=/a,target=/b,colour=red", 'key "colour"'],
    ["type=bind,source=/a,target=/b,ro=maybe", 'readonly is true or false, not "maybe"'],
    ["type=bind,source=/a,target=/b,bind-propagation=up", "bind-propagation is one of"],
    ["type=bind,source=/a,target=/b,bind-recursive=writable", "writable is not supported"],
    ["type=tmpfs,target=/b,tmpfs-size=big", '"big" is no size'],
    ["type=tmpfs,target=/b,tmpfs-mode=9", '"9" is no mode'],
    ["type=bind,,target=/b", "empty"],
    ['type=bind,"src=/a', "quote"],
    ["", "empty"],
    ["constructor=1,target=/b", "unknown"],
  ])("%p is refused", (text, reason) => {
    const error = failureOf(() => parseMountFlag(text, "/work"));
    expect(error.code).toBe("USAGE");
    expect(error.because).toContain(reason);
  });

  test("any path can be written in quotes", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab,"= :') }), (name) => {
        const field = `"src=/a/x${name.replaceAll('"', '""')}"`;
        expect(parseMountFlag(`type=bind,${field},dst=/b`, "/")).toEqual(
          bind({ source: `/a/x${name}`, createSource: false }),
        );
      }),
    );
  });
});

describe("--tmpfs", () => {
  test.each<[string, readonly string[]]>([
    ["/run", []],
    ["/run:", []],
    ["/run:rw,size=64MB,mode=755,exec", ["rw", "size=64m", "mode=755", "exec"]],
    ["/run:size=50%,uid=5,gid=6,nr_inodes=1k", ["size=50%", "uid=5", "gid=6", "nr_inodes=1k"]],
  ])("%s", (text, options) => expect(parseTmpfsFlag(text)).toEqual({ kind: "tmpfs", target: "/run", options }));

  test.each([
    ["run", "not an absolute path"],
    ["/run:colour=red", 'option "colour=red" is unknown'],
    ["/run:uid=root", '"root" is no uid'],
    ["/run:bind", 'option "bind" is unknown'],
    ["/run:toString=1", "is unknown"],
  ])("%p is refused", (text, reason) => expect(failureOf(() => parseTmpfsFlag(text)).because).toContain(reason));
});
