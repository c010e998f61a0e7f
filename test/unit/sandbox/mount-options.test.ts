import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
} from "../../../ffi/constants.ts";
import { knownMountOptions, parseMountOptions } from "../../../src/sandbox/mount-options.ts";

const own = (...options: string[]) => {
  const { set, clear } = parseMountOptions(options, "tmpfs").attributes;
  return { set, clear };
};

describe("attributes of the mount", () => {
  test.each([
    ["ro", "rw", MOUNT_ATTR_RDONLY],
    ["nosuid", "suid", MOUNT_ATTR_NOSUID],
    ["nodev", "dev", MOUNT_ATTR_NODEV],
    ["noexec", "exec", MOUNT_ATTR_NOEXEC],
    ["nodiratime", "diratime", MOUNT_ATTR_NODIRATIME],
    ["nosymfollow", "symfollow", MOUNT_ATTR_NOSYMFOLLOW],
  ])("%s sets, %s clears, the later wins", (setting, clearing, bit) => {
    expect(own(setting)).toEqual({ set: bit, clear: 0 });
    expect(own(clearing)).toEqual({ set: 0, clear: bit });
    expect(own(setting, clearing)).toEqual({ set: 0, clear: bit });
    expect(own(clearing, setting)).toEqual({ set: bit, clear: 0 });
  });

  test("access times are one field: the later replaces the earlier whole (mount_setattr(2))", () => {
    expect(own("noatime")).toEqual({ set: MOUNT_ATTR_NOATIME, clear: MOUNT_ATTR__ATIME });
    expect(own("noatime", "strictatime")).toEqual({ set: MOUNT_ATTR_STRICTATIME, clear: MOUNT_ATTR__ATIME });
    expect(own("strictatime", "relatime")).toEqual({ set: 0, clear: MOUNT_ATTR__ATIME });
    expect(own("relatime", "ro")).toEqual({ set: MOUNT_ATTR_RDONLY, clear: MOUNT_ATTR__ATIME });
  });

  test("with r in front they hold for the whole tree, apart from the mount's own", () => {
    const { attributes } = parseMountOptions(["rbind", "rro", "rnosuid", "nodev"], "bind");
    expect(attributes).toEqual({
      set: MOUNT_ATTR_NODEV,
      clear: 0,
      setRecursive: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID,
      clearRecursive: 0,
    });
  });
});

describe("binds and propagation", () => {
  test.each([
    [[], "bind", true, false],
    [[], "rbind", true, true],
    [["bind"], undefined, true, false],
    [["rbind"], "none", true, true],
    [["bind", "rbind"], "bind", true, true],
    [[], "tmpfs", false, false],
  ] as const)("%p, type %p", (options, type, bind, recursive) => {
    expect(parseMountOptions(options, type)).toMatchObject({ bind, recursive });
  });

  test.each([
    ["shared", MS_SHARED],
    ["slave", MS_SLAVE],
    ["private", MS_PRIVATE],
    ["unbindable", MS_UNBINDABLE],
  ])("%s, and r%s for the tree; the last one counts", (name, propagation) => {
    expect(parseMountOptions([name], "bind")).toMatchObject({ propagation, propagationRecursive: false });
    expect(parseMountOptions(["rslave", `r${name}`], "bind")).toMatchObject({
      propagation,
      propagationRecursive: true,
    });
  });
});

describe("what is left goes to the file system", () => {
  test("in order, also what begins with r, and what an object happens to have", () => {
    const options = ["size=64k", "rsize=4096", "ro", "mode=755", "newinstance", "remountX", "constructor", "rtoString"];
    expect(parseMountOptions(options, "tmpfs").parameters).toEqual(options.filter((option) => option !== "ro"));
  });

  test("but not hints for other tools", () => {
    const hints = ["defaults", "nofail", "_netdev", "", "auto", "noauto", "silent", "loud", "iversion", "noiversion"];
    expect(parseMountOptions(hints, "tmpfs")).toMatchObject({ parameters: [], flags: [] });
  });
});

test("flags of every file system: the last of two opposites counts", () => {
  const flags = (...options: readonly string[]) => parseMountOptions(options, "tmpfs").flags;
  expect(flags("sync", "dirsync", "lazytime", "mand")).toEqual(["sync", "dirsync", "lazytime", "mand"]);
  expect(flags("sync", "async", "nolazytime", "lazytime", "nomand")).toEqual(["async", "lazytime", "nomand"]);
});

test("what is said in one word", () => {
  const plain = { remount: false, copyUp: false, idmap: undefined };
  expect(parseMountOptions([], "tmpfs")).toMatchObject(plain);
  expect(parseMountOptions(["remount"], "tmpfs")).toMatchObject({ ...plain, remount: true });
  expect(parseMountOptions(["tmpcopyup"], "tmpfs")).toMatchObject({ ...plain, copyUp: true });
  expect(parseMountOptions(["idmap"], "bind")).toMatchObject({ ...plain, idmap: "mount" });
  expect(parseMountOptions(["idmap", "ridmap"], "bind")).toMatchObject({ ...plain, idmap: "tree" });
});

test("every option that is said to be known is nobody else's", () => {
  const known = knownMountOptions();
  expect(known).toEqual([...new Set(known)].sort());
  expect(parseMountOptions(known, "bind").parameters).toEqual([]);
});

const words = [
  "ro",
  "rw",
  "nosuid",
  "suid",
  "noatime",
  "relatime",
  "strictatime",
  "rro",
  "rrw",
  "bind",
  "rprivate",
  "x=1",
];
const someOptions = fc.array(fc.constantFrom(...words), { maxLength: 12 });

test("laws: never both set and clear a flag; saying it all again changes nothing", () => {
  fc.assert(
    fc.property(someOptions, (options) => {
      const once = parseMountOptions(options, "tmpfs");
      const { set, clear, setRecursive, clearRecursive } = once.attributes;
      // Access times are cleared as a field before a value is set in it.
      expect(set & clear & ~MOUNT_ATTR__ATIME).toBe(0);
      expect(setRecursive & clearRecursive & ~MOUNT_ATTR__ATIME).toBe(0);
      const { parameters: _, ...again } = parseMountOptions([...options, ...options], "tmpfs");
      const { parameters: __, ...first } = once;
      expect(again).toEqual(first);
    }),
  );
});

test("law: whatever the options are, each goes exactly one way", () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 8 }), (options) => {
      const { parameters } = parseMountOptions(options, "tmpfs");
      for (const parameter of parameters) expect(options).toContain(parameter);
    }),
  );
});
