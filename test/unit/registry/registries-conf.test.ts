import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { DevboxError } from "../../../src/core/errors.ts";
import { parseRegistriesFile } from "../../../src/registry/configuration/registries-conf.ts";
import { readRegistriesConf } from "../../../src/registry/configuration/registries-conf-files.ts";
import { failureOf } from "../../helpers/failure.ts";

const parse = (text: string) => parseRegistriesFile(Buffer.from(text), "r.conf");
const because = (text: string) => failureOf(() => parse(text)).because;

describe("a file", () => {
  test("the example of containers-registries.conf(5), with comments and all keys", () => {
    const file = parse(`
      unqualified-search-registries = ["example.com", # here first
        'quay.io']
      short-name-mode = "enforcing"
      [aliases]
      "opensuse/leap" = "registry.opensuse.org/opensuse/leap"
      fedora = "" # taken back
      [[registry]]
      prefix = "example.com/foo"
      location = "internal.example.net:5000/bar/"
      [[registry.mirror]]
      location = "mirror-0.local/foo"
      [[registry.mirror]]
      location = "mirror-1.local"
      insecure = true
      pull-from-mirror = "tag-only"
      [[registry]]
      location = "registry.com"
      blocked = true
      mirror-by-digest-only = true
      mirror = [{location = "m.example"}]
      [[registry]]
      prefix = "*.example.org"
      insecure = true
    `);
    const plain = { insecure: false, blocked: false };
    expect(file).toEqual({
      searchRegistries: ["example.com", "quay.io"],
      shortNameMode: "enforcing",
      aliases: { "opensuse/leap": "registry.opensuse.org/opensuse/leap", fedora: "" },
      registries: [
        {
          ...plain,
          prefix: "example.com/foo",
          location: "internal.example.net:5000/bar",
          mirrors: [
            { location: "mirror-0.local/foo", insecure: false, use: "all" },
            { location: "mirror-1.local", insecure: true, use: "tag-only" },
          ],
        },
        {
          ...plain,
          blocked: true,
          prefix: "registry.com",
          location: "registry.com",
          mirrors: [{ location: "m.example", insecure: false, use: "digest-only" }],
        },
        { ...plain, insecure: true, prefix: "*.example.org", location: undefined, mirrors: [] },
      ],
    });
  });

  test.each([
    ["[[registry]]\ninsecure = true", "registry[0]: it has neither prefix nor location"],
    ['[[registry]]\nlocation = "https://a.b"', "registry[0].location: a registry is named without http:// or https://"],
    ['[[registry]]\nlocation = "a.b/ c"', 'registry[0].location: expected HOST[:PORT][/NAMESPACE…], got "a.b/ c"'],
    [
      '[[registry]]\nprefix = "a.*.b"',
      'registry[0].prefix: expected a wildcard of the form *.example.com, got "a.*.b"',
    ],
    [
      '[[registry]]\nprefix = "*.b/c"',
      'registry[0].prefix: expected a wildcard of the form *.example.com, got "*.b/c"',
    ],
    ['[[registry]]\nlocation = "a.b"\nblocked = "yes"', 'registry[0].blocked: expected true or false, got "yes"'],
    [
      '[[registry]]\nlocation = "a.b"\n[[registry.mirror]]',
      "registry[0].mirror[0].location: expected a string, got nothing",
    ],
    ['[registry]\nlocation = "a.b"', "registry: expected a list, got an object"],
    [
      'unqualified-search-registries = ["a.b/c"]',
      'unqualified-search-registries[0]: expected a registry, HOST[:PORT], got "a.b/c"',
    ],
    ['short-name-mode = "strict"', 'short-name-mode: expected one of enforcing, permissive, disabled, got "strict"'],
    ['[aliases]\n"a.b/c" = "d.e/f"', 'aliases: "a.b/c" is not a short name: a name without registry, tag and digest'],
    ['[aliases]\n"a:1" = "d.e/f"', 'aliases: "a:1" is not a short name: a name without registry, tag and digest'],
    ['[aliases]\na = "d"', 'aliases.a: expected a name with its registry, without tag and digest, got "d"'],
    ['[aliases]\na = "d.e/f:1"', 'aliases.a: expected a name with its registry, without tag and digest, got "d.e/f:1"'],
    ["[registries.search]\nregistries = []", "registries: this is version 1 of the format, which devbox does not read"],
  ])("%j is refused with its place", (text, expected) => {
    expect(because(text)).toBe(expected);
  });

  test("two kinds of restriction at once", () => {
    const text =
      '[[registry]]\nlocation = "a.b"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.n"\n';
    expect(parse(text).registries[0]?.mirrors[0]?.use).toBe("digest-only");
    expect(because(`${text}pull-from-mirror = "all"`)).toStartWith("registry[0].mirror[0].pull-from-mirror: ");
  });

  test.each([
    ["a = 1\n\nb = nonsense\nc = 2\n", 3],
    ['a = ["x",\n "y"]\n[aliases]\nq = "1"\nq = "2"\n', 5],
    ['a = 1\nb = "open\n', 2],
    ["a = 1\nb = [1,\n2\n", 3],
    ["[x\n", 1],
  ])("a mistake in TOML has its line: %j", (text, line) => {
    expect(because(text)).toStartWith(`line ${line}: `);
  });

  test("property: whatever stands there, it is read, or refused as a DevboxError", () => {
    const words = [
      "[[registry]]",
      "[aliases]",
      "prefix",
      "location",
      "mirror",
      "=",
      '"',
      "\n",
      "[",
      "{",
      "a.b",
      "*",
      "\0",
      "é",
      "true",
      ",",
    ];
    const text = fc.oneof(
      fc.string(),
      fc.array(fc.oneof(fc.constantFrom(...words), fc.string())).map((parts) => parts.join(" ")),
    );
    fc.assert(
      fc.property(text, (one) => {
        try {
          parse(one);
        } catch (error) {
          expect(error).toBeInstanceOf(DevboxError);
          expect((error as DevboxError).code).toBe("BAD_CONFIG");
        }
      }),
    );
    expect(failureOf(() => parseRegistriesFile(Uint8Array.of(0xff), "r.conf")).because).toBe("it is not UTF-8");
    expect(because(" ".repeat(2 ** 20 + 1))).toStartWith("it has 1048577 bytes");
    expect(because(`${"\n".repeat(2 ** 20 - 3)}a b`)).toStartWith(`line ${2 ** 20 - 2}: `);
  });
});

describe("which files, and which of them wins", () => {
  const root = mkdtempSync(join(tmpdir(), "registries-conf-"));
  afterAll(() => rmSync(root, { recursive: true }));
  let [home, system, count] = ["", "", 0];
  beforeEach(() => {
    home = join(root, `home-${count}`);
    system = join(root, `system-${count++}`);
  });
  const write = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  const user = (name: string) => join(home, ".config/containers", name);
  const read = (env: Record<string, string> = {}) => readRegistriesConf({ HOME: home, ...env }, system);
  const search = (...registries: string[]) => `unqualified-search-registries = ${JSON.stringify(registries)}\n`;

  test("none: nothing is said", () => {
    expect(read()).toMatchObject({ searchRegistries: [], shortNameMode: "permissive", registries: [], paths: [] });
  });

  test("the system's, its drop-ins by name, then the user's drop-ins", () => {
    write(join(system, "registries.conf"), search("a.example", "b.example"));
    write(join(system, "registries.conf.d/20.conf"), '[aliases]\none = "c.d/1"\ntwo = "c.d/2"\n');
    // So many that a directory does not list them by name.
    for (let i = 19; i >= 0; i--) write(join(system, `registries.conf.d/0${i}.conf`), `[aliases]\none = "c.d/${i}x"\n`);
    write(join(system, "registries.conf.d/30.conf.old"), "nonsense");
    mkdirSync(join(system, "registries.conf.d/directory.conf"));
    write(user("registries.conf.d/mine.conf"), `${search("u.example")}[aliases]\ntwo = ""\n`);
    const conf = read();
    expect(conf.searchRegistries).toEqual(["u.example"]);
    expect([...conf.aliases]).toEqual([["one", "c.d/1"]]);
  });

  test("the user's registries.conf takes the place of all the system's", () => {
    write(join(system, "registries.conf"), search("a.example"));
    write(join(system, "registries.conf.d/10.conf"), '[aliases]\none = "c.d/0"\n');
    write(user("registries.conf"), "");
    write(user("registries.conf.d/x.conf"), '[aliases]\ntwo = "c.d/2"\n');
    expect(read().searchRegistries).toEqual([]);
    expect([...read().aliases.keys()]).toEqual(["two"]);
  });

  test("$CONTAINERS_REGISTRIES_CONF goes before both, and must be there", () => {
    write(user("registries.conf"), search("u.example"));
    write(join(home, "named.conf"), search("n.example"));
    expect(read({ CONTAINERS_REGISTRIES_CONF: join(home, "named.conf") }).searchRegistries).toEqual(["n.example"]);
    const missing = join(home, "missing.conf");
    expect(failureOf(() => read({ CONTAINERS_REGISTRIES_CONF: missing }))).toMatchObject({
      code: "BAD_CONFIG",
      step: `read ${missing}`,
    });
  });

  test("a later table of the same prefix replaces the earlier one", () => {
    write(
      join(system, "registries.conf"),
      '[[registry]]\nlocation = "a.b"\nblocked = true\n[[registry]]\nlocation = "c.d"\n',
    );
    write(user("registries.conf.d/x.conf"), '[[registry]]\nprefix = "a.b"\nlocation = "e.f"\n');
    expect(read().registries.map(({ prefix, location, blocked }) => [prefix, location, blocked])).toEqual([
      ["c.d", "c.d", false],
      ["a.b", "e.f", false],
    ]);
  });

  test.skipIf(process.getuid?.() === 0)("what podman has learned goes before the files", () => {
    write(user("registries.conf"), '[aliases]\none = "c.d/1"\n');
    write(join(home, ".cache/containers/short-name-aliases.conf"), '[aliases]\n"one" = "podman.example/1"\n');
    expect(read().aliases.get("one")).toBe("podman.example/1");
  });
});
