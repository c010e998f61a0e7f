import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseDigest } from "../../../src/oci/digest.ts";
import type { Reference } from "../../../src/oci/reference.ts";
import { familiarName, familiarRepository, formatReference, parseReference } from "../../../src/oci/reference.ts";
import { failureOf } from "../../helpers/failure.ts";

const hex = "0123456789abcdef".repeat(4);
const digest = `sha256:${hex}`;

describe("a reference is read as docker reads it", () => {
  test.each([
    ["alpine", "docker.io/library/alpine:latest", "alpine:latest"],
    ["alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"],
    ["docker:dind", "docker.io/library/docker:dind", "docker:dind"],
    ["docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"],
    ["index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest"],
    ["user/app", "docker.io/user/app:latest", "user/app:latest"],
    ["ghcr.io/a/b:c", "ghcr.io/a/b:c", "ghcr.io/a/b:c"],
    ["localhost/x", "localhost/x:latest", "localhost/x:latest"],
    ["localhost:5000/x:1", "localhost:5000/x:1", "localhost:5000/x:1"],
    ["[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"],
    ["127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest", "127.0.0.1:5000/a/b/c:latest"],
    ["Host/x", "Host/x:latest", "Host/x:latest"],
    ["docker://debian:12", "docker.io/library/debian:12", "debian:12"],
    [`alpine@${digest}`, `docker.io/library/alpine@${digest}`, `alpine@${digest}`],
    [`r.io/x:1@${digest}`, `r.io/x:1@${digest}`, `r.io/x:1@${digest}`],
    ["docker.io/foo.bar/x", "docker.io/foo.bar/x:latest", "docker.io/foo.bar/x:latest"],
    ["docker.io/library/oci", "docker.io/library/oci:latest", "library/oci:latest"],
    ["a__b/c-_-d".replace("-_-", "---"), "docker.io/a__b/c---d:latest", "a__b/c---d:latest"],
  ])("%s", (text, canonical, familiar) => {
    const reference = parseReference(text);
    expect(formatReference(reference)).toBe(canonical);
    expect(familiarName(reference)).toBe(familiar);
  });

  test("parts and defaults", () => {
    expect(parseReference(`r.io:5000/a/b@${digest}`)).toEqual({
      kind: "registry",
      registry: "r.io:5000",
      repository: "a/b",
      tag: undefined,
      digest: parseDigest(digest),
    });
  });
});

describe("transports", () => {
  test.each<[string, Reference]>([
    ["oci:dir", { kind: "oci", path: "dir", ref: undefined }],
    ["oci:/a/b:debian:12", { kind: "oci", path: "/a/b", ref: "debian:12" }],
    ["oci-archive:f.tar:v1", { kind: "oci-archive", path: "f.tar", ref: "v1" }],
    ["docker-archive:f.tar", { kind: "docker-archive", path: "f.tar", ref: undefined }],
    ["dir:/root:fs", { kind: "dir", path: "/root:fs" }],
  ])("%s", (text, reference) => {
    expect(parseReference(text)).toEqual(reference);
    expect(formatReference(reference)).toBe(text);
  });
});

test("what only others read is said to be so, and an image of such a name has a longer one", () => {
  for (const text of [
    "docker-daemon:debian:12",
    "containers-storage:debian",
    "containers-storage:[overlay@/x]debian",
  ]) {
    expect(() => parseReference(text)).toThrow(/does not read what (docker-daemon|containers-storage): names/);
  }
  const reference = parseReference("docker.io/library/docker-daemon:1");
  expect(parseReference(familiarName(reference))).toEqual(reference);
});

describe("what is wrong is said", () => {
  test.each([
    ["", "empty"],
    ["Alpine", "must be lower case"],
    ["r.io/Foo", "must be lower case"],
    [" alpine", "not a repository name"],
    ["alpine:", "tag after the colon is empty"],
    [`alpine:${"a".repeat(129)}`, "129 characters; 128"],
    ["alpine:-x", "is not a tag"],
    ["a//b", "not a repository name"],
    ["-a", "not a repository name"],
    ["a___b", "not a repository name"],
    ["a/", "not a repository name"],
    ["r.io/", "repository name is empty"],
    ["http://x/y", "is not a registry host"],
    ["a..b/x", "is not a registry host"],
    ["[::1/x", "is not a registry host"],
    ["r.io:port/x", "is not a registry host"],
    [hex, "image id"],
    ["a@sha256:12", "64 hex digits, not 2"],
    [`a@${digest.toUpperCase()}`, "is not supported"],
    [`a@sha256:${hex.toUpperCase()}`, "lower-case hex"],
    [`a@md5:${hex}`, '"md5" is not supported'],
    [`r.io/${"a".repeat(256)}`, "256 characters; 255"],
    ["oci:", "needs a path"],
    ["oci::x", "needs a path"],
    ["oci:x:", "is empty"],
    ["dir:", "needs the path"],
    ["dir:a\0b", "NUL"],
  ])("%p", (text, reason) => {
    const error = failureOf(() => parseReference(text));
    expect(error.code).toBe("BAD_REFERENCE");
    expect(error.because).toContain(reason);
  });

  test("hostile lengths end quickly", () => {
    expect(failureOf(() => parseReference(`${"a-".repeat(50_000)}!.b/x`)).code).toBe("BAD_REFERENCE");
    expect(failureOf(() => parseReference(`r.io/${"a-".repeat(50_000)}`)).code).toBe("BAD_REFERENCE");
  });
});

const part = fc.stringMatching(/^[a-z0-9]{1,6}(?:(?:\.|_|__|--?)[a-z0-9]{1,6}){0,2}$/);
const registry = fc.oneof(
  fc.constant("docker.io"),
  fc.constant("localhost"),
  fc.stringMatching(/^[a-z0-9]{1,5}\.[A-Za-z]{2,4}(?::[1-9][0-9]{0,3})?$/),
  fc.constant("[fe80::1]:5000"),
);
const references: fc.Arbitrary<Reference> = fc
  .record({
    registry,
    path: fc.array(part, { minLength: 1, maxLength: 3 }),
    tag: fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/), { nil: undefined }),
    digest: fc.option(fc.stringMatching(/^[0-9a-f]{64}$/), { nil: undefined }),
  })
  .map(({ registry, path, tag, digest }) => ({
    kind: "registry",
    registry,
    repository: registry === "docker.io" && path.length === 1 ? `library/${path[0]}` : path.join("/"),
    tag: tag ?? (digest === undefined ? "latest" : undefined),
    digest: digest === undefined ? undefined : parseDigest(`sha256:${digest}`),
  }));

describe("laws", () => {
  test("parse ∘ format is the identity", () => {
    fc.assert(
      fc.property(references, (reference) => expect(parseReference(formatReference(reference))).toEqual(reference)),
    );
  });

  test("parse ∘ familiar is the identity", () => {
    fc.assert(
      fc.property(references, (reference) => expect(parseReference(familiarName(reference))).toEqual(reference)),
    );
  });

  test("format ∘ parse changes nothing that is canonical, and no text makes it throw anything else", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."aZ9./:@-_[]") }), (text) => {
        try {
          const canonical = formatReference(parseReference(text));
          expect(formatReference(parseReference(canonical))).toBe(canonical);
        } catch (error) {
          expect(error).toHaveProperty("code", "BAD_REFERENCE");
        }
      }),
    );
  });
});

test("the repository alone, for tables", () => {
  const reference = parseReference("ghcr.io/a/b:c");
  expect(reference.kind === "registry" && familiarRepository(reference)).toBe("ghcr.io/a/b");
});
