import { describe, expect, test } from "bun:test";
import { type Descriptor, mediaTypes, type Platform } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import type { Index } from "../../../src/oci/image.ts";
import {
  formatPlatform,
  hostPlatform,
  normalizePlatform,
  parsePlatform,
  runnablePlatforms,
  selectPlatform,
} from "../../../src/oci/platform.ts";
import { failureOf } from "../../helpers/failure.ts";

describe("reading", () => {
  test.each([
    ["linux/amd64", "linux/amd64"],
    ["linux/x86_64", "linux/amd64"],
    ["linux/amd64/v1", "linux/amd64"],
    ["linux/amd64/v3", "linux/amd64/v3"],
    ["Linux/ARM64", "linux/arm64"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/arm64/8", "linux/arm64"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/arm/6", "linux/arm/v6"],
    ["linux/armhf", "linux/arm/v7"],
    ["linux/armel", "linux/arm/v6"],
    ["linux/i386", "linux/386"],
    ["arm64", "linux/arm64"],
    ["riscv64", "linux/riscv64"],
  ])("%s", (text, canonical) => expect(formatPlatform(parsePlatform(text))).toBe(canonical));

  test("one word is the system or the architecture", () => {
    expect(parsePlatform("linux")).toEqual(hostPlatform());
    expect(hostPlatform("x64")).toEqual({ os: "linux", architecture: "amd64" });
  });

  test.each([
    ["windows/amd64", "not windows"],
    ["linux/vax", 'unknown architecture "vax"'],
    ["linux/amd64/v1/x", "not OS/ARCHITECTURE"],
    ["", "not OS/ARCHITECTURE"],
    ["linux//v8", "not OS/ARCHITECTURE"],
  ])("%p is refused", (text, reason) => {
    const error = failureOf(() => parsePlatform(text));
    expect(error.code).toBe("BAD_PLATFORM");
    expect(error.because).toContain(reason);
  });

  test("normalising twice is normalising once", () => {
    for (const architecture of ["x86_64", "aarch64", "armhf", "armel", "arm", "i686", "constructor", "s390x"]) {
      const once = normalizePlatform({ os: "linux", architecture });
      expect(normalizePlatform(once)).toEqual(once);
    }
  });
});

const entry = (platform: string | undefined, mediaType: string = mediaTypes.ociManifest): Descriptor => {
  const [os = "", architecture = "", variant] = platform?.split("/") ?? [];
  const described: Platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  return {
    mediaType,
    digest: digestOf(platform ?? ""),
    size: 0,
    ...(platform === undefined ? {} : { platform: described }),
  };
};
const index = (...entries: readonly Descriptor[]): Index => ({
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: entries,
});
const chosen = (wanted: string, ...there: readonly string[]): string | undefined => {
  const { platform } = selectPlatform(index(...there.map((each) => entry(each))), parsePlatform(wanted));
  return platform === undefined ? undefined : formatPlatform(platform);
};

describe("choosing", () => {
  test("the own variant, then older ones", () => {
    expect(chosen("linux/arm/v7", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7")).toBe("linux/arm/v7");
    expect(chosen("linux/arm/v7", "linux/arm/v5", "linux/arm/v6", "linux/arm64")).toBe("linux/arm/v6");
    expect(chosen("linux/arm", "linux/arm/v5")).toBe("linux/arm/v5");
    expect(chosen("linux/amd64/v3", "linux/amd64", "linux/amd64/v2")).toBe("linux/amd64/v2");
    expect(chosen("linux/arm64", "linux/arm/v7", "linux/arm64/v8")).toBe("linux/arm64/v8");
  });

  test("never a newer one", () => {
    expect(() => chosen("linux/arm/v6", "linux/arm/v7")).toThrow();
    expect(() => chosen("linux/amd64", "linux/amd64/v3")).toThrow();
  });

  test("the 32-bit kin last", () => {
    expect(chosen("linux/amd64", "linux/386", "linux/amd64")).toBe("linux/amd64");
    expect(chosen("linux/amd64", "linux/386")).toBe("linux/386");
    expect(runnablePlatforms({ os: "linux", architecture: "arm64" }).map(formatPlatform)).toEqual([
      "linux/arm64",
      "linux/arm/v8",
      "linux/arm/v7",
      "linux/arm/v6",
      "linux/arm/v5",
    ]);
  });

  test("spelling does not matter", () => expect(chosen("linux/arm64", "linux/aarch64/v8")).toBe("linux/aarch64/v8"));

  test("an entry without a platform when no other fits", () => {
    const both = index(entry(undefined), entry("linux/s390x"));
    expect(selectPlatform(both, parsePlatform("linux/s390x")).platform?.architecture).toBe("s390x");
    expect(selectPlatform(both, parsePlatform("linux/amd64")).platform).toBeUndefined();
  });

  test("entries that are no images are passed over", () => {
    const odd = index(entry("linux/amd64", "application/x-signature"), entry("linux/amd64", mediaTypes.dockerManifest));
    expect(selectPlatform(odd, parsePlatform("amd64")).mediaType).toBe(mediaTypes.dockerManifest);
  });

  test("the error lists what there is, without attestations", () => {
    const error = failureOf(() =>
      chosen("linux/amd64", "linux/s390x", "linux/arm/v7", "unknown/unknown", "linux/s390x"),
    );
    expect(error.code).toBe("NO_MATCHING_PLATFORM");
    expect(error.because).toBe("it is there for linux/s390x, linux/arm/v7");
  });
});
