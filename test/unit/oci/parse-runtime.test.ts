import { describe, expect, test } from "bun:test";
import { parseRuntimeConfig, parseRuntimeProcess } from "../../../src/oci/parse-runtime.ts";
import { fullConfig, jsonOf, valueAt, withValue } from "../../helpers/full-config.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const source = { path: "config.json" };
const parse = (config: unknown) => parseRuntimeConfig(bytes(jsonOf(config)), source);
const minimal = { ociVersion: "1.0.0", root: { path: "rootfs" } };

describe("what is right", () => {
  test("every property", () => expect<unknown>(parse(fullConfig)).toEqual(fullConfig));

  test("next to nothing: a container without a process", () => {
    expect(parse(minimal)).toEqual({ ...minimal, process: undefined, mounts: [], linux: { namespaces: [] } });
  });

  test("null and empty texts are nothing, as Go writes them", () => {
    const config = {
      ...minimal,
      process: null,
      hostname: "",
      mounts: [{ destination: "/a", type: "", source: "", options: null }],
      hooks: { prestart: null },
      annotations: null,
      linux: {
        namespaces: [{ type: "pid", path: "" }],
        devices: null,
        seccomp: null,
        cgroupsPath: "",
        rootfsPropagation: "",
      },
    };
    expect(parse(config)).toEqual({
      ...minimal,
      process: undefined,
      mounts: [{ destination: "/a" }],
      hooks: {},
      linux: { namespaces: [{ type: "pid" }] },
    });
  });

  test("properties that nobody knows are passed over", () => {
    const known = { ...fullConfig, windows: { a: 1 }, linux: { ...fullConfig.linux, hugeTablets: { mode: 5 } } };
    expect<unknown>(parse(known)).toEqual(fullConfig);
  });

  test("a process without user is root's", () => {
    const process = parseRuntimeProcess(bytes('{"cwd":"/","args":["a"]}'), { path: "process.json" });
    expect(process).toEqual({ cwd: "/", args: ["a"], env: [], user: { uid: 0, gid: 0 } });
  });

  test.each(["1.0.0", "1.0.2-dev", "1.2.1+dev", "1.99.0-rc.1+a.b"])("version %s", (ociVersion) => {
    expect(parse({ ...minimal, ociVersion }).ociVersion).toBe(ociVersion);
  });

  test("-1 is every number of a device rule", () => {
    const resources = { devices: [{ allow: false, type: "", major: -1, minor: -1, access: "rwm" }] };
    expect(parse({ ...minimal, linux: { resources } }).linux.resources).toEqual({
      devices: [{ allow: false, access: "rwm" }],
    });
  });
});

describe("integers of 64 bits are exact", () => {
  const text = jsonOf(fullConfig);
  test.each([
    ['"soft":1024', '"soft":9007199254740993', "process.rlimits[0].soft", 9007199254740993n],
    ['"soft":1024', '"soft":18446744073709551615', "process.rlimits[0].soft", "unlimited"],
    ['"runtime":10', '"runtime":18446744073709551615', "process.scheduler.runtime", 0xffff_ffff_ffff_ffffn],
    ['"limit":536870912', '"limit":9223372036854771712', "linux.resources.memory.limit", 9223372036854771712n],
    ['"value":2', '"value":18446744073709551614', "linux.seccomp.syscalls[0].args[0].value", 0xffff_ffff_ffff_fffen],
    [
      '"rate":600',
      '"rate":18446744073709551615',
      "linux.resources.blockIO.throttleReadBpsDevice[0].rate",
      0xffff_ffff_ffff_ffffn,
    ],
  ])("%s → %s", (from, to, path, expected) => {
    const config = parseRuntimeConfig(bytes(text.replace(from, to)), source);
    const keys = path.split(/[.[\]]+/).map((key) => (/^\d+$/.test(key) ? Number(key) : key));
    expect(valueAt(config, keys)).toBe(expected);
  });

  test.each([
    [
      '"soft":1024',
      '"soft":18446744073709551616',
      "process.rlimits[0].soft: expected an integer from 0 to 18446744073709551615, got 18446744073709551616",
    ],
    [
      '"limit":536870912',
      '"limit":9223372036854775808',
      "linux.resources.memory.limit: expected an integer from -1 to 9223372036854775807",
    ],
    [
      '"shares":1024',
      '"shares":9007199254740993',
      "linux.resources.cpu.shares: expected an integer ≥ 0, got 9007199254740993",
    ],
  ])("%s → %s is too much", (from, to, message) => {
    expect(() => parseRuntimeConfig(bytes(text.replace(from, to)), source)).toThrow(message);
  });
});

describe("the document itself", () => {
  test.each([
    ["nothing", "", "it is not valid JSON"],
    ["a list", "[]", "expected an object, got a list"],
    ["cut off", '{"ociVersion":"1.0.0"', "it is not valid JSON"],
    ["too deep", "[".repeat(200_000), "it is not valid JSON"],
    ["a byte order mark", '\uFEFF{"ociVersion":"1.0.0"}', "it is not valid JSON"],
  ])("%s", (_, text, message) => {
    expect(() => parseRuntimeConfig(bytes(text), source)).toThrow(`read config.json: ${message}`);
  });

  test("more than 16 MiB", () => {
    const text = `{"a":"${"x".repeat(16 * 1024 * 1024)}"}`;
    expect(() => parseRuntimeConfig(bytes(text), source)).toThrow("bytes; at most 16777216 are accepted");
  });

  test("a member __proto__ is one that nobody knows", () => {
    const text = jsonOf(minimal).replace("{", '{"__proto__":{"hostname":5},');
    expect(parseRuntimeConfig(bytes(text), source)).toEqual(parse(minimal));
  });
});

describe("warnings", () => {
  const warnings = (config: unknown): string[] => {
    const given: string[] = [];
    parseRuntimeConfig(bytes(jsonOf(config)), { ...source, warn: (warning) => given.push(warning) });
    return given;
  };

  test("of a config without fault: none", () => expect(warnings(fullConfig)).toEqual([]));

  test("relative destinations are below /", () => {
    const config = { ...minimal, mounts: [{ destination: "a/b" }] };
    expect(parse(config).mounts[0]?.destination).toBe("/a/b");
    expect(warnings(config)).toEqual(["mounts[0].destination: a/b is relative, which is deprecated; /a/b is taken"]);
  });

  test("capabilities that cannot be had are left out", () => {
    const capabilities = {
      bounding: ["CAP_KILL", "CAP_FLY"],
      effective: ["CAP_KILL", "CAP_CHOWN"],
      permitted: ["CAP_KILL"],
      inheritable: ["CAP_CHOWN", "CAP_KILL"],
      ambient: ["CAP_CHOWN", "CAP_KILL"],
    };
    const config = withValue(fullConfig, ["process", "capabilities"], capabilities);
    const kill = ["CAP_KILL"];
    expect(parse(config).process?.capabilities).toEqual({
      bounding: kill,
      effective: kill,
      permitted: kill,
      inheritable: kill,
      ambient: kill,
    });
    expect(warnings(config)).toEqual([
      "process.capabilities.bounding: no capability is named CAP_FLY",
      "process.capabilities.effective: CAP_CHOWN is left out: it is not permitted",
      "process.capabilities.inheritable: CAP_CHOWN is left out: it is not in the bounding set",
      "process.capabilities.ambient: CAP_CHOWN is left out: it is not both permitted and inheritable",
    ]);
  });
});
