import { expect, test } from "bun:test";
import { checkConfigMediaType, layerFormat } from "../../../src/oci/media-type.ts";
import { failureOf } from "../../helpers/failure.ts";

const oci = "application/vnd.oci.image.layer";
const docker = "application/vnd.docker.image.rootfs";

test.each([
  [`${oci}.v1.tar`, "none", false],
  [`${oci}.v1.tar+gzip`, "gzip", false],
  [`${oci}.v1.tar+zstd`, "zstd", false],
  [`${oci}.nondistributable.v1.tar`, "none", true],
  [`${oci}.nondistributable.v1.tar+gzip`, "gzip", true],
  [`${oci}.nondistributable.v1.tar+zstd`, "zstd", true],
  [`${docker}.diff.tar`, "none", false],
  [`${docker}.diff.tar.gzip`, "gzip", false],
  [`${docker}.diff.tar.zstd`, "zstd", false],
  [`${docker}.foreign.diff.tar.gzip`, "gzip", true],
] as const)("%s", (mediaType, compression, foreign) => {
  expect(layerFormat(mediaType)).toEqual({ compression, foreign });
});

test("others are refused by name", () => {
  for (const mediaType of ["application/x-tar", "toString", ""]) {
    const error = failureOf(() => layerFormat(mediaType));
    expect(error.code).toBe("UNSUPPORTED_MEDIA_TYPE");
    expect(error.because).toContain(`"${mediaType}"`);
  }
});

test("a config that is no image's", () => {
  checkConfigMediaType("application/vnd.oci.image.config.v1+json");
  checkConfigMediaType("application/vnd.docker.container.image.v1+json");
  expect(failureOf(() => checkConfigMediaType("application/vnd.oci.empty.v1+json")).hint).toContain("artifact");
});

test("an encrypted layer: what decrypts it", () => {
  const error = failureOf(() => layerFormat(`${oci}.v1.tar+gzip+encrypted`));
  expect(error).toMatchObject({
    because: expect.stringContaining("encrypted"),
    hint: expect.stringContaining("decryption-key"),
  });
});
