import { expect, test } from "bun:test";
import type { RuntimeConfig } from "../../../src/oci/runtime.ts";
import { formatRuntimeConfig } from "../../../src/oci/runtime-json.ts";

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
