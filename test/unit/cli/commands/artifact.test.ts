import { expect, test } from "bun:test";
import { requireRegistry } from "../../../../src/cli/access-flags.ts";
import { hasTagOrDigest, parseFile, parseMediaType } from "../../../../src/cli/commands/artifact/flags.ts";
import { parseReference } from "../../../../src/oci/reference.ts";
import { failureOf } from "../../../helpers/failure.ts";

test("a file may bring its media type; a colon of its own stays in the name", () => {
  const other = "application/octet-stream";
  expect(parseFile("sbom.json:application/spdx+json", other)).toEqual({
    path: "sbom.json",
    mediaType: "application/spdx+json",
  });
  for (const path of ["sbom.json", "C:", "12:30", "a:b/c/d", ":text/plain"]) {
    expect(parseFile(path, other)).toEqual({ path, mediaType: other });
  }
  expect(parseFile("12:30:text/plain", other)).toEqual({ path: "12:30", mediaType: "text/plain" });
});

test("whether a tag or a digest was written, ports left aside", () => {
  for (const text of ["app:1", "host:5000/app:1", `host/app@sha256:${"a".repeat(64)}`]) {
    expect(hasTagOrDigest(text)).toBe(true);
  }
  for (const text of ["app", "host:5000/app", "host:5000/team/app"]) expect(hasTagOrDigest(text)).toBe(false);
});

test("what is no media type, or in no registry, is refused", () => {
  expect(failureOf(() => parseMediaType("--artifact-type", "sbom")).hint).toContain("--artifact-type application/");
  expect(failureOf(() => requireRegistry(parseReference("oci:dir"), "push oci:dir")).because).toContain("oci:dir");
});
