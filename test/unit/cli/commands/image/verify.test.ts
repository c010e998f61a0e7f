import { expect, test } from "bun:test";
import { describeImage } from "../../../../../src/cli/commands/image/verify.ts";
import type { Damage } from "../../../../../src/image/verify/damage.ts";

const digest = "sha256:1234" as const;
const names = ["docker.io/library/debian:12"];

test("whole", () => {
  expect(describeImage({ names, digest, damages: [], isWhole: true })).toBe("debian:12: ok\n");
  expect(describeImage({ names: [], digest, damages: [], isWhole: true })).toBe("sha256:1234: ok\n");
});

test("damaged: parts, reasons, paths, and what came of the repair", () => {
  const damages: readonly Damage[] = [
    { part: "blob", digest, because: "missing", repair: { kind: "failed", because: "no network" } },
    {
      part: "layer",
      digest,
      because: "3 paths are not as they were",
      differences: [{ path: "etc/passwd", what: "content" }],
      count: 3,
      repair: { kind: "mended" },
    },
    { part: "record", digest, because: "bytes is 1, not 2", repair: { kind: "none" } },
  ];
  expect(describeImage({ names, digest, damages, isWhole: false })).toMatchInlineSnapshot(`
    "debian:12: damaged
      blob sha256:1234: missing (not repaired)
        because: no network
      layer sha256:1234: 3 paths are not as they were (repaired)
        etc/passwd: content
        and 2 more
      record of layer sha256:1234: bytes is 1, not 2
    "
  `);
  expect(describeImage({ names, digest, damages: damages.slice(1, 2), isWhole: true })).toStartWith(
    "debian:12: repaired\n",
  );
});
