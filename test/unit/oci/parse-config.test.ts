import { describe, expect, test } from "bun:test";
import { digestOf } from "../../../src/oci/digest.ts";
import type { Manifest } from "../../../src/oci/image.ts";
import { checkLayerCount, parseImageConfig } from "../../../src/oci/parse-config.ts";
import { failureOf } from "../../helpers/failure.ts";

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const diffId = digestOf("layer");
const config = { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [diffId] } };

describe("what docker writes", () => {
  test("null for all that is empty", () => {
    const execution = {
      User: "",
      Env: null,
      Cmd: null,
      Entrypoint: null,
      Volumes: null,
      Labels: null,
      ExposedPorts: null,
    };
    expect(parseImageConfig(bytes({ ...config, config: execution }))).toEqual({
      ...parseImageConfig(bytes(config)),
      config: { User: "" },
    });
  });

  test("no layers at all", () => {
    expect(parseImageConfig(bytes({ ...config, rootfs: { type: "layers", diff_ids: null } })).rootfs.diff_ids).toEqual(
      [],
    );
  });

  test("a command as one string", () => {
    expect(parseImageConfig(bytes({ ...config, config: { Entrypoint: "/init" } })).config?.Entrypoint).toEqual([
      "/init",
    ]);
  });

  test("everything", () => {
    const full = {
      ...config,
      created: "2026-01-01T00:00:00Z",
      author: "ada",
      variant: "v2",
      config: {
        User: "1000:100",
        ExposedPorts: { "80/tcp": {} },
        Env: ["A=1"],
        Entrypoint: ["/e"],
        Cmd: ["c"],
        Volumes: { "/data": {} },
        WorkingDir: "/w",
        Labels: { l: "v" },
        StopSignal: "SIGINT",
        Healthcheck: { Test: ["CMD", "true"], Interval: 1, Timeout: 2, StartPeriod: 3, StartInterval: 4, Retries: 5 },
      },
      history: [{ created_by: "RUN", empty_layer: true, comment: "c", created: "2026", author: "a" }],
    } as const;
    expect(parseImageConfig(bytes({ ...full, config: { ...full.config, Shell: ["sh"], OnBuild: null } }))).toEqual({
      ...full,
      config: { ...full.config, Shell: ["sh"] },
      rootfs: { type: "layers", diff_ids: [diffId] },
    });
  });
});

test.each<[object, string]>([
  [{ ...config, architecture: 1 }, "architecture: expected a string, got 1"],
  [{ ...config, os: undefined }, "os: expected a string, got nothing"],
  [{ ...config, rootfs: { type: "blocks", diff_ids: [] } }, 'rootfs.type: expected "layers", got "blocks"'],
  [{ ...config, rootfs: { type: "layers", diff_ids: ["sha256:1"] } }, "rootfs.diff_ids[0]: a sha256 digest has 64"],
  [{ ...config, config: { Env: ["A=1", 2] } }, "config.Env[1]: expected a string, got 2"],
  [{ ...config, config: { Cmd: ["a\0b"] } }, "config.Cmd[0]: expected a string without NUL"],
  [{ ...config, config: { Volumes: { "/v": 1 } } }, "config.Volumes./v: expected an object, got 1"],
  [{ ...config, config: { Healthcheck: { Test: "true" } } }, 'config.Healthcheck.Test: expected a list, got "true"'],
  [{ ...config, history: [{ empty_layer: "yes" }] }, 'history[0].empty_layer: expected true or false, got "yes"'],
])("%#: place and reason", (document, reason) => {
  const error = failureOf(() => parseImageConfig(bytes(document)));
  expect(error.code).toBe("BAD_MANIFEST");
  expect(error.because).toContain(reason);
});

test("as many layers as diffIDs", () => {
  const descriptor = { mediaType: "x", digest: diffId, size: 0 };
  const manifest: Manifest = { schemaVersion: 2, mediaType: "x", config: descriptor, layers: [descriptor, descriptor] };
  const parsed = parseImageConfig(bytes(config));
  expect(failureOf(() => checkLayerCount(manifest, parsed)).because).toBe(
    "the manifest has 2 layers but rootfs.diff_ids has 1",
  );
  checkLayerCount({ ...manifest, layers: [descriptor] }, parsed);
});
