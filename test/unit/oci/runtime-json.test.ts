import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DevboxError } from "../../../src/core/errors.ts";
import { parseRuntimeConfig } from "../../../src/oci/parse-runtime.ts";
import type { ParsedConfig, RuntimeConfig } from "../../../src/oci/runtime.ts";
import { formatRuntimeConfig } from "../../../src/oci/runtime-json.ts";
import { fullConfig, jsonOf, placesOf, withValue } from "../../helpers/full-config.ts";

const source = { path: "config.json" };
const parse = (text: string): ParsedConfig => parseRuntimeConfig(new TextEncoder().encode(text), source);
const config: RuntimeConfig = {
  ociVersion: "1.0.2",
  root: { path: "rootfs" },
  process: { cwd: "/", env: ['X="soft":"unlimited"'], args: ["sh"], user: { uid: 0, gid: 0 } },
  mounts: [],
  annotations: { soft: "unlimited" },
  linux: { namespaces: [] },
};

test("is the same as JSON", () => {
  expect(JSON.parse(formatRuntimeConfig(config))).toEqual(config);
});

test("unlimited is 2^64-1, exactly, and nowhere else", () => {
  const rlimits = [{ type: "RLIMIT_CORE", soft: 0, hard: "unlimited" }] as const;
  const text = formatRuntimeConfig({ ...config, process: { ...config.process, rlimits } });
  expect(text).toContain('"rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}]');
  expect(JSON.parse(text)).toMatchObject({ annotations: config.annotations, process: { env: config.process.env } });
});

test("a container without a process", () => {
  expect(parse(formatRuntimeConfig({ ...config, process: undefined }))).toEqual({ ...config, process: undefined });
});

describe("there and back", () => {
  test("every property", () => {
    const read = parse(jsonOf(fullConfig));
    expect(parse(formatRuntimeConfig(read))).toEqual(read);
  });

  const text = fc.string({ maxLength: 8 }).filter((each) => !each.includes("\0"));
  const named = text.map((each) => `x${each}`);
  const path = text.map((each) => `/${each}`);
  const id = fc.nat({ max: 4_294_967_294 });
  const big = fc.oneof(fc.nat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }));
  const limit = fc.oneof(big, fc.constant("unlimited" as const));
  const optional = <T extends object>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
    fc.record(parts, { requiredKeys: [] });
  const environment = fc.array(fc.tuple(named, text).map(([name, value]) => `${name.replaceAll("=", "")}=${value}`));
  const hook = fc.record({ path, args: fc.array(text), timeout: fc.integer({ min: 1 }) }, { requiredKeys: ["path"] });
  const process = fc.record(
    {
      cwd: path,
      env: environment,
      args: fc.array(text, { minLength: 1 }),
      user: fc.record({ uid: id, gid: id, umask: fc.nat({ max: 0o777 }), additionalGids: fc.array(id) }),
      rlimits: fc.tuple(limit, limit).map(([soft, hard]) => [{ type: "RLIMIT_CPU", soft, hard }]),
      noNewPrivileges: fc.boolean(),
      oomScoreAdj: fc.integer({ min: -1000, max: 1000 }),
      scheduler: fc.record({ policy: fc.constant("SCHED_DEADLINE"), runtime: big, deadline: big }),
      apparmorProfile: named,
    },
    { requiredKeys: ["cwd", "env", "args", "user"] },
  );
  const value = fc.oneof(big, fc.bigInt({ min: 2n ** 63n, max: 2n ** 64n - 1n }));
  const argument = fc.record({
    index: fc.nat({ max: 5 }),
    value,
    valueTwo: value,
    op: fc.constant("SCMP_CMP_MASKED_EQ" as const),
  });
  const rule = fc.record({
    names: fc.array(text, { minLength: 1 }),
    action: fc.constant("SCMP_ACT_ERRNO" as const),
    errnoRet: fc.nat({ max: 4095 }),
    args: fc.array(argument),
  });
  const seccomp = fc.record({ defaultAction: fc.constant("SCMP_ACT_ALLOW" as const), syscalls: fc.array(rule) });
  const resources = optional({
    memory: optional({
      limit: big,
      swap: fc.constant(-1),
      swappiness: fc.nat({ max: 100 }),
      useHierarchy: fc.boolean(),
    }),
    cpu: optional({ shares: fc.nat(), period: fc.nat(), cpus: fc.constant("0-3,5") }),
    pids: fc.record({ limit: big }),
    unified: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}\.[a-z]{1,5}$/), text),
  });
  const linux = fc.record(
    {
      namespaces: fc.subarray(["pid", "ipc", "cgroup"] as const).map((types) => types.map((type) => ({ type }))),
      seccomp,
      resources,
      devices: fc.array(fc.record({ type: fc.constant("p" as const), path, uid: id })),
    },
    { requiredKeys: ["namespaces"] },
  );
  const mount = fc.record({ destination: path, type: named, source: named, options: fc.array(text) });
  const configs = fc.record(
    {
      ociVersion: fc.constant("1.2.0"),
      root: fc.record({ path: named, readonly: fc.boolean() }),
      process: fc.option(process, { nil: undefined }),
      mounts: fc.array(mount),
      hooks: optional({ createRuntime: fc.array(hook), poststop: fc.array(hook) }),
      annotations: fc.dictionary(named, text),
      linux,
    },
    { requiredKeys: ["ociVersion", "root", "process", "mounts", "linux"] },
  );

  test("any config", () => {
    fc.assert(
      fc.property(configs, (written) => {
        expect<unknown>(parse(formatRuntimeConfig(written as ParsedConfig))).toEqual(written);
      }),
    );
  });
});

/** Whatever a document has at whatever place: it is read, or refused by name, and nothing else is thrown. */
describe("mutations", () => {
  const places = [...placesOf(fullConfig)];
  const readOrRefused = (text: string): void => {
    try {
      parse(text);
    } catch (error) {
      if (!(error instanceof DevboxError) || error.code !== "BAD_CONFIG") throw error;
    }
  };

  test("other values", () => {
    const mutation = fc.tuple(fc.constantFrom(...places), fc.jsonValue());
    fc.assert(
      fc.property(mutation, ([path, value]) => readOrRefused(jsonOf(withValue(fullConfig, path, value)))),
      { numRuns: 1000 },
    );
  });

  test("other bytes", () => {
    const text = jsonOf(fullConfig);
    const mutation = fc.tuple(fc.nat({ max: text.length }), fc.nat({ max: 5 }), fc.string({ maxLength: 5 }));
    fc.assert(
      fc.property(mutation, ([at, length, other]) =>
        readOrRefused(text.slice(0, at) + other + text.slice(at + length)),
      ),
      { numRuns: 1000 },
    );
  });
});
