import { describe, expect, test } from "bun:test";
import { type Descriptor, type Digest, mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import type { RegistryClient } from "../../../src/registry/client.ts";
import { readNextLink } from "../../../src/registry/referrers/pages.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { failureOf, openClient, recordingContext } from "../../helpers/registry-client.ts";
import { type SpecRegistry, type SpecRegistryOptions, startSpecRegistry } from "../../helpers/spec-registry.ts";

const empty = new TextEncoder().encode("{}");
const config = { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(empty), size: empty.byteLength };
const subject: Descriptor = { mediaType: mediaTypes.ociManifest, digest: digestOf("an image"), size: 8 };
const tag = subject.digest.replace(":", "-");

/** What refers to the subject: `signature`, `sbom`, …; its descriptor as a list of referrers has it. */
async function refer(client: RegistryClient, artifactType: string, note: string): Promise<Descriptor> {
  const annotations = { note };
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, artifactType, config, layers: [config] };
  const bytes = new TextEncoder().encode(JSON.stringify({ ...document, subject, annotations }));
  const { digest, subject: isListed } = await client.putManifest(digestOf(bytes), bytes, mediaTypes.ociManifest);
  const referrer = { mediaType: mediaTypes.ociManifest, digest, size: bytes.byteLength, annotations, artifactType };
  if (!isListed) await client.putReferrersTag(subject.digest, referrer);
  return referrer;
}

function open(registry: SpecRegistry | FaultyRegistry): RegistryClient {
  return openClient(registry.host, recordingContext(), { access: "push" });
}

function byDigest(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  return [...descriptors].sort((a, b) => a.digest.localeCompare(b.digest));
}

const kinds: [string, SpecRegistryOptions][] = [
  ["the API", {}],
  ["the API, page by page", { referrersPageSize: 2 }],
  ["the API, which does not filter", { filtersReferrers: false }],
  ["the tag, where there is no API", { referrers: false }],
];
describe.each(kinds)("%s", (_, options) => {
  test("lists what refers to a manifest, all or of one type", async () => {
    await using registry = await startSpecRegistry(options);
    registry.repository("team/app").blobs.set(config.digest, empty);
    await using client = open(registry);
    expect(await client.referrers(subject.digest)).toEqual([]);
    const pushed: Descriptor[] = [];
    for (let count = 0; count < 5; count++) {
      pushed.push(await refer(client, count % 2 === 0 ? "signature/x" : "sbom/y", `number ${count}`));
    }
    expect(byDigest(await client.referrers(subject.digest))).toEqual(byDigest(pushed));
    const ofType = pushed.filter(({ artifactType }) => artifactType === "sbom/y");
    expect(byDigest(await client.referrers(subject.digest, "sbom/y"))).toEqual(byDigest(ofType));
    expect(await client.referrers(subject.digest, "none/z")).toEqual([]);
    expect(registry.repository("team/app").tags.has(tag)).toBe(options.referrers === false);
  });
});

describe("the tag", () => {
  const referrer = {
    mediaType: mediaTypes.ociManifest,
    digest: digestOf("a signature"),
    size: 11,
    artifactType: "x/y",
  };

  test("keeps what others wrote in it, and lists nothing twice", async () => {
    await using registry = await startFaultyRegistry();
    const other = { mediaType: "a/b", digest: digestOf("other"), size: 5, annotations: { a: "b" }, "x-own": [1] };
    const document = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [other],
      annotations: { c: "d" },
      "x-own": 1,
    };
    registry.addManifest("team/app", tag, document, mediaTypes.ociIndex);
    await using client = open(registry);
    await client.putReferrersTag(subject.digest, referrer);
    await client.putReferrersTag(subject.digest, referrer);
    const { bytes = new Uint8Array(), descriptor } = registry.findManifest("team/app", tag) ?? {};
    expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual({ ...document, manifests: [other, referrer] });
    expect(descriptor?.mediaType).toBe(mediaTypes.ociIndex);
    expect(registry.requests.filter(({ method }) => method === "PUT").length).toBe(1);
  });

  test("is written again where another client overwrote it at the same time", async () => {
    await using registry = await startSpecRegistry({ referrers: false });
    const { manifests, tags } = registry.repository("team/app");
    const theirs = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [{ ...referrer, digest: digestOf("theirs") }],
      }),
    );
    for (const { digest } of [referrer, { digest: digestOf("theirs") }]) {
      manifests.set(digest, { bytes: empty, mediaType: mediaTypes.ociManifest });
    }
    manifests.set(digestOf(theirs), { bytes: theirs, mediaType: mediaTypes.ociIndex });
    // After our first write, the other one's, which has not seen it, takes its place.
    const set = tags.set.bind(tags);
    let writes = 0;
    tags.set = (name, digest) => set(name, writes++ === 0 ? digestOf(theirs) : digest);
    await using client = open(registry);
    await client.putReferrersTag(subject.digest, referrer);
    expect((await client.referrers(subject.digest)).map(({ digest }) => digest)).toEqual([
      digestOf("theirs"),
      referrer.digest,
    ]);
  });

  test("that is something else is not overwritten", async () => {
    await using registry = await startFaultyRegistry();
    registry.addImage("team/app", tag, { layers: [] });
    await using client = open(registry);
    expect((await failureOf(client.putReferrersTag(subject.digest, referrer))).code).toBe("BAD_MANIFEST");
    expect(registry.requests.filter(({ method }) => method === "PUT")).toEqual([]);
  });

  test("of a sha512 digest is cut to what a tag may have", async () => {
    await using registry = await startSpecRegistry({ referrers: false });
    registry.repository("team/app").manifests.set(referrer.digest, { bytes: empty, mediaType: mediaTypes.ociManifest });
    await using client = open(registry);
    const digest: Digest = digestOf("x", "sha512");
    await client.putReferrersTag(digest, referrer);
    expect([...registry.repository("team/app").tags.keys()]).toEqual([`sha512-${digest.slice(7, 7 + 64)}`]);
    expect(await client.referrers(digest)).toEqual([referrer]);
  });
});

describe("hostile lists", () => {
  const page = (more: object = {}) =>
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [], ...more });
  const answer = (body: string, link?: string) =>
    ({
      kind: "status",
      status: 200,
      headers: {
        "content-type": mediaTypes.ociIndex,
        ...(link === undefined ? {} : { link: `<${link}>; rel="next"` }),
      },
      body,
    }) as const;
  const path = `/v2/team/app/referrers/${subject.digest}`;

  test.each([
    ["a circle", page(), `${path}?page=2`, "circle"],
    ["a place that is not safe", page(), "http://registry.example/", "not safe"],
    ["not JSON", "<html>", undefined, "JSON"],
    ["an image", JSON.stringify({ schemaVersion: 2, config, layers: [] }), undefined, "not allowed"],
    [
      "a digest that is none",
      page({ manifests: [{ ...config, digest: "sha256:../.." }] }),
      undefined,
      "manifests[0].digest",
    ],
  ])("%s", async (_, body, link, because) => {
    await using registry = await startFaultyRegistry();
    registry.fault(/referrers/, answer(body, link));
    await using client = open(registry);
    expect((await failureOf(client.referrers(subject.digest))).because).toContain(because);
  });

  test("without an end", async () => {
    await using registry = await startFaultyRegistry();
    for (let number = 0; number <= 1000; number++)
      registry.fault(/referrers/, answer(page(), `${path}?page=${number}`), 1);
    await using client = open(registry);
    expect((await failureOf(client.referrers(subject.digest))).because).toBe("it has more than 1000 pages");
  });

  test("longer than is good", async () => {
    await using registry = await startFaultyRegistry();
    registry.fault(/referrers/, answer(" ".repeat(4 * 1024 * 1024 + 1)));
    await using client = open(registry);
    expect((await failureOf(client.referrers(subject.digest))).because).toContain("longer than 4194304 bytes");
  });
});

test.each([
  ['</v2/a?n=2&last=b>; rel="next"', "/v2/a?n=2&last=b"],
  ["<https://r.example/a>;rel=next", "https://r.example/a"],
  ['</first>; rel="first", </next,with,commas>; title="x; y"; rel="prefetch next"', "/next,with,commas"],
  ['</a>; rel="nextish"', undefined],
  ["nonsense", undefined],
  ["", undefined],
])("Link %j", (header, target) => {
  expect(readNextLink(header)).toBe(target);
});

describe("tags", () => {
  test("in pages", async () => {
    await using registry = await startFaultyRegistry();
    const list = (tags: readonly string[], link?: string) =>
      ({
        kind: "status",
        status: 200,
        headers: link === undefined ? {} : { link },
        body: JSON.stringify({ name: "team/app", tags }),
      }) as const;
    registry.fault(/tags\/list$/, list(["a", "b"], '</v2/team/app/tags/list?last=b&n=2>; rel="next"'));
    registry.fault(/tags\/list\?last=b&n=2$/, list(["c"]));
    await using client = open(registry);
    expect(await client.listTags()).toEqual(["a", "b", "c"]);
  });

  test("of a repository that is not there; of one that has none", async () => {
    await using registry = await startFaultyRegistry();
    await using client = open(registry);
    expect((await failureOf(client.listTags())).code).toBe("REGISTRY_NOT_FOUND");
    registry.fault(/tags/, { kind: "status", status: 200, body: '{"name": "team/app", "tags": null}' });
    expect(await client.listTags()).toEqual([]);
  });
});
