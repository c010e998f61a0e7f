import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readResourceOptions } from "../../../../src/cli/oci/commands/update-options.ts";
import { DevboxError } from "../../../../src/core/errors.ts";

const directory = mkdtempSync(join(tmpdir(), "devbox-update-"));
afterAll(() => rmSync(directory, { recursive: true }));

type Options = Parameters<typeof readResourceOptions>[0];
const read = (options: Record<string, string>) => readResourceOptions(options as Options);

test.each<[Record<string, string>, object]>([
  [{}, {}],
  [
    { memory: "512m", "memory-swap": "-1", "memory-reservation": "1Gi" },
    { memory: { limit: 2 ** 29, swap: -1, reservation: 2 ** 30 } },
  ],
  [{ "cpu-quota": "-1", "cpu-period": "100000" }, { cpu: { quota: -1, period: 100000 } }],
  [{ "cpu-share": "512", "cpuset-cpus": "0-1", "cpu-idle": "1" }, { cpu: { shares: 512, cpus: "0-1", idle: 1 } }],
  [{ "pids-limit": "20" }, { pids: { limit: 20 } }],
  [{ "blkio-weight": "500" }, { blockIO: { weight: 500 } }],
])("%j", async (options, resources) => expect(await read(options)).toEqual(resources));

test("a document counts alone", async () => {
  const file = join(directory, "resources.json");
  writeFileSync(file, '{"pids":{"limit":7},"memory":{"limit":9223372036854771712}}');
  const expected = { pids: { limit: 7 }, memory: { limit: 9223372036854771712n } };
  expect(await read({ resources: file, memory: "1m" })).toEqual(expected);
});

test.each<Record<string, string>>([
  { memory: "much" },
  { memory: "1x" },
  { "pids-limit": "1.5" },
  { "cpu-quota": "9".repeat(20) },
  { "l3-cache-schema": "L3:0=f" },
  { resources: "/does/not/exist" },
])("%j is refused", async (options) => {
  const error = await read(options).then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(DevboxError);
});
