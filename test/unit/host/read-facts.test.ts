import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { findAccount, parseOwnIds, parseSubIds, readHostFacts } from "../../../src/host/read-facts.ts";

describe("subuid(5)", () => {
  const file = [
    "# ada:1:1",
    "ada:100000:65536",
    "grace:165536:65536",
    "1000:300000:10",
    "ada:400000:5 ",
    "ada:x:5",
    "ada:5",
    "ada:500000:0",
    "ada:4294967290:100",
    "ada:-5:10",
    "adab:600000:5",
    "",
  ].join("\n");

  test("by name and by uid, in order; what is malformed grants nothing", () => {
    expect(parseSubIds(file, "ada", 1000)).toEqual([
      { start: 100_000, count: 65_536 },
      { start: 300_000, count: 10 },
      { start: 400_000, count: 5 },
    ]);
    expect(parseSubIds(file, "nobody", 65_534)).toEqual([]);
  });
});

test("passwd(5): the first line with the uid", () => {
  const passwd =
    "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\nalias:x:1000:1::/x:/bin/sh\nbad:x:abc\n";
  expect(findAccount(passwd, 1000)).toEqual({ name: "ada", home: "/home/ada" });
  expect(findAccount(passwd, 7)).toBeUndefined();
});

describe("this machine", () => {
  const directory = mkdtempSync(join(tmpdir(), "devbox-facts-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const write = (name: string, text: string, mode = 0o644): string => {
    writeFileSync(join(directory, name), text);
    chmodSync(join(directory, name), mode);
    return join(directory, name);
  };
  const { uid, gid } = userInfo();
  const sources = {
    passwd: write("passwd", `tester:x:${uid}:${gid}::/home/tester:/bin/sh\n`),
    subuid: write("subuid", "tester:1:2\n"),
    subgid: join(directory, "missing"),
    maps: directory,
  };

  test("the caller and its ranges; files that are missing say nothing", () => {
    const facts = readHostFacts({ PATH: "", HOME: "" }, sources);
    expect(facts).toMatchObject({
      uid,
      gid,
      userName: "tester",
      home: "/home/tester",
      subuids: [{ start: 1, count: 2 }],
      subgids: [],
    });
    expect(readHostFacts({ HOME: "/elsewhere" }, sources).home).toBe("/elsewhere");
  });

  test("helpers: the first program on PATH; directories, plain files and relative places are none", () => {
    for (const name of ["a", "b", "c"]) mkdirSync(join(directory, name));
    mkdirSync(join(directory, "a/slirp4netns"));
    write("b/slirp4netns", "", 0o644);
    const program = write("c/slirp4netns", "", 0o755);
    symlinkSync(program, join(directory, "a/newuidmap"));
    const path = ["relative", ".", "a", "b", "c"].map((name, i) => (i < 2 ? name : join(directory, name))).join(":");
    const { helpers } = readHostFacts({ PATH: path }, sources);
    expect(helpers.slirp4netns).toBe(program);
    expect(helpers.newuidmap).toBe(join(directory, "a/newuidmap"));
  });
});

test("the ids of a namespace, in the columns of uid_map", () => {
  expect(parseOwnIds("         0       1001          1\n         1     100000      65535\n")).toEqual([
    { start: 0, count: 1 },
    { start: 1, count: 65_535 },
  ]);
  expect(parseOwnIds("")).toEqual([]);
});
