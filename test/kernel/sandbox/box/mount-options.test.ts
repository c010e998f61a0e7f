/** Every mount option of the runtime-spec (config.md "Linux mount options"), seen from inside the box, or the error that it gets. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { knownMountOptions } from "../../../../src/sandbox/mount-options.ts";
import { host, openWorkshop, sharedDirectory } from "../../../helpers/busybox-box.ts";
import { boxFailure, inBox, type Kind, kinds, mountIn, mountLine } from "../../../helpers/oci-box.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());

/** What an option adds to, or takes from, the words of /proc/self/mountinfo: `-x` is not there. */
type Words = readonly string[];

/** Of a file system: a tmpfs with the option alone, or behind what it undoes. */
const onFileSystem: Readonly<Record<string, Words>> = {
  async: ["-sync"],
  "sync async": ["-sync"],
  sync: ["sync"],
  dirsync: ["dirsync"],
  lazytime: ["lazytime"],
  nolazytime: ["-lazytime"],
  "lazytime nolazytime": ["-lazytime"],
  nomand: ["-mand"],
  mand: [],
  defaults: ["rw", "relatime"],
  silent: ["rw"],
  loud: ["rw"],
  iversion: ["rw"],
  noiversion: ["rw"],
  ro: ["ro", "-rw"],
  rw: ["rw"],
  "ro rw": ["rw"],
  rro: ["ro"],
  rrw: ["rw"],
  nosuid: ["nosuid"],
  suid: ["-nosuid"],
  "nosuid suid": ["-nosuid"],
  rnosuid: ["nosuid"],
  rsuid: ["-nosuid"],
  nodev: ["nodev"],
  rnodev: ["nodev"],
  noexec: ["noexec"],
  exec: ["-noexec"],
  "noexec exec": ["-noexec"],
  rnoexec: ["noexec"],
  rexec: ["-noexec"],
  noatime: ["noatime"],
  atime: ["relatime"],
  "noatime atime": ["relatime"],
  rnoatime: ["noatime"],
  ratime: ["relatime"],
  nodiratime: ["nodiratime"],
  diratime: ["-nodiratime"],
  rnodiratime: ["nodiratime"],
  rdiratime: ["-nodiratime"],
  relatime: ["relatime"],
  norelatime: ["relatime"],
  rrelatime: ["relatime"],
  rnorelatime: ["relatime"],
  strictatime: ["-relatime", "-noatime"],
  nostrictatime: ["relatime"],
  "strictatime nostrictatime": ["relatime"],
  rstrictatime: ["-relatime", "-noatime"],
  rnostrictatime: ["relatime"],
  nosymfollow: ["nosymfollow"],
  symfollow: ["-nosymfollow"],
  rnosymfollow: ["nosymfollow"],
  rsymfollow: ["-nosymfollow"],
  shared: ["shared:"],
  rshared: ["shared:"],
  slave: ["-shared:"],
  rslave: ["-shared:"],
  private: ["-shared:"],
  rprivate: ["-shared:"],
  unbindable: ["unbindable"],
  runbindable: ["unbindable"],
  "size=64k": ["size=64k"],
  "mode=1751": ["mode=1751"],
  tmpcopyup: ["rw"],
  dev: ["-nodev"],
  rdev: ["-nodev"],
};

/** Those that need something to be there already; tested by themselves. */
const elsewhere = ["bind", "rbind", "remount", "idmap", "ridmap"];

test("the table has every option", () => {
  const tested = new Set([...Object.keys(onFileSystem).flatMap((words) => words.split(" ")), ...elsewhere]);
  expect(knownMountOptions().filter((option) => !tested.has(option))).toEqual([]);
});

function expectWords(found: readonly string[], words: Words): void {
  for (const word of words) {
    const has = (text: string) => found.some((each) => (text.endsWith(":") ? each.startsWith(text) : each === text));
    if (word.startsWith("-")) expect([word, has(word.slice(1))]).toEqual([word, false]);
    else expect([word, found, has(word)]).toEqual([word, found, true]);
  }
}

describe.each(kinds)("%s", (kind) => {
  test("on a file system", async () => {
    const all = Object.keys(onFileSystem);
    // One box for all: each option has a tmpfs.
    const mounts = all.map((words, i) => ({
      destination: `/m${i}`,
      type: "tmpfs",
      source: "t",
      options: words.split(" "),
    }));
    const text = await inBox(workshop, "cat /proc/self/mountinfo", { kind, mounts });
    for (const [i, words] of all.entries()) {
      const { options, superOptions, tags } = mountLine(text, `/m${i}`);
      const own = options.filter((option) => option !== "rw" || !options.includes("ro"));
      expectWords(
        [...own, ...superOptions.filter((option) => !/^r[ow]$/.test(option)), ...tags],
        onFileSystem[words] ?? [],
      );
    }
  });

  /** A bind with something mounted below: /dev of the host with its shm. Options, what the top has, what lies below has. */
  const onBind: readonly (readonly [options: string, top: Words, below: Words])[] = [
    ["bind", ["rw"], []],
    ["bind ro", ["ro"], []],
    ["rbind ro", ["ro"], ["rw"]],
    ["rbind rro", ["ro"], ["ro"]],
    ["rbind rro rw", ["ro"], ["ro"]],
    ["rbind ro rw", ["rw"], ["rw"]],
    ["rbind rw", ["rw"], ["rw"]],
    ["rbind rrw", ["rw"], ["rw"]],
    ["rbind nosymfollow", ["nosymfollow"], ["-nosymfollow"]],
    ["rbind rnosymfollow", ["nosymfollow"], ["nosymfollow"]],
    ["rbind nosuid", ["nosuid"], []],
    ["rbind rnosuid", ["nosuid"], ["nosuid"]],
    ["rbind nodev", ["nodev"], []],
    ["rbind rnodev", ["nodev"], ["nodev"]],
    ["rbind noexec", ["noexec"], []],
    ["rbind rnoexec", ["noexec"], ["noexec"]],
    ["rbind shared", ["shared:"], ["-shared:"]],
    ["rbind rshared", ["shared:"], ["shared:"]],
    ["rbind unbindable", ["unbindable"], ["-unbindable"]],
    ["rbind runbindable", ["unbindable"], ["unbindable"]],
    ["rbind private", ["-shared:", "-master:"], []],
    ["rbind rprivate", ["-shared:", "-master:"], ["-shared:", "-master:"]],
    ["rbind rslave", ["-shared:"], ["-shared:"]],
    ["rbind sync dirsync lazytime mand silent iversion defaults", ["rw", "-sync"], ["rw"]],
  ];

  test("on a bind mount, and on what is mounted below it", async () => {
    const mounts = onBind.map(([options], i) => ({
      destination: `/b${i}`,
      source: options.startsWith("rbind") ? "/dev" : sharedDirectory(workshop),
      options: options.split(" "),
    }));
    const text = await inBox(workshop, "cat /proc/self/mountinfo", { kind, mounts });
    for (const [i, [options, top, below]] of onBind.entries()) {
      const words = (at: string): string[] => {
        const line = mountLine(text, at);
        return [...line.options, ...line.tags];
      };
      expectWords(words(`/b${i}`), top);
      if (options.startsWith("rbind")) expectWords(words(`/b${i}/shm`), below);
      else expect(() => mountLine(text, `/b${i}/shm`)).toThrow("nothing is mounted");
    }
  });

  test("access times of a bind mount: the host's are locked in a user namespace, root may change them", async () => {
    for (const [option, has] of [
      ["noatime", ["noatime"]],
      ["strictatime", ["-relatime", "-noatime"]],
      ["rnoatime", ["noatime"]],
      ["nodiratime", ["nodiratime"]],
      ["rnodiratime", ["nodiratime"]],
      ["relatime", ["relatime"]],
    ] as const) {
      const mounts = [
        { destination: "/m", type: "bind", source: sharedDirectory(workshop), options: ["rbind", option] },
      ];
      const settings = { kind, mounts };
      if (kind === "no user namespace" || option === "relatime")
        expectWords((await mountIn(workshop, "/m", settings)).options, has);
      else {
        const error = await boxFailure(workshop, settings);
        expect(error).toMatchObject({
          step: expect.stringMatching(/^bind .* on \/m/),
          because: expect.stringContaining("EPERM"),
        });
      }
    }
  });

  test("a bind that would uncover what the host has mounted below: refused in a user namespace", async () => {
    const mounts = [{ destination: "/m", type: "bind", source: "/dev", options: ["bind"] }];
    if (kind === "no user namespace") {
      expect(await inBox(workshop, "grep -c ' /m/' /proc/self/mountinfo", { kind, mounts })).toBe("0");
      return;
    }
    const error = await boxFailure(workshop, { kind, mounts });
    expect(error).toMatchObject({ step: "bind /dev on /m", hint: "bind it with all that is mounted below: rbind" });
  });
});

test.if(host.uid === 0)(
  "what the host's mount has stays, is taken away by root, and refused in a user namespace",
  async () => {
    const source = join(workshop.path, "locked");
    mkdirSync(source);
    await $`mount -t tmpfs -o ro,nosuid,noexec tmpfs ${source}`.quiet();
    try {
      const bind = (...options: readonly string[]) => [
        { destination: "/m", type: "bind", source, options: ["rbind", ...options] },
      ];
      const see = async (kind: Kind, ...options: readonly string[]) =>
        (await mountIn(workshop, "/m", { kind, mounts: bind(...options) })).options;
      for (const kind of kinds) expectWords(await see(kind, "nodev"), ["ro", "nosuid", "noexec", "nodev"]);
      expectWords(await see("no user namespace", "rw", "exec"), ["rw", "nosuid", "-noexec"]);
      // Engines write `rw` for whatever is not `ro`.
      expectWords(await see("user namespace", "rw"), ["ro", "nosuid", "noexec"]);
      for (const option of ["exec", "suid", "rexec"])
        expect(await boxFailure(workshop, { mounts: bind(option) })).toMatchObject({
          step: `bind ${source} on /m`,
          because: "the host has it otherwise, and a user namespace may not take that away (EPERM)",
        });
    } finally {
      await $`umount ${source}`.quiet();
    }
  },
);
