/** Images that no index lists are of one platform; and a user without subordinate ids, who can have none of them. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { ensureImage } from "../../../src/image/pull/ensure.ts";
import { pull } from "../../../src/image/pull/pull.ts";
import { hostPlatform, parsePlatform } from "../../../src/oci/platform.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { readEntries } from "../../../src/store/index-file.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../../helpers/faulty-registry.ts";
import { temporaryPullStore } from "../../helpers/pulling.ts";
import { tar } from "../../helpers/tar-builder.ts";
import type { TemporaryStore } from "../../helpers/temporary-store.ts";

let registry: FaultyRegistry;
beforeAll(async () => {
  registry = await startFaultyRegistry();
  const layers = [{ tar: tar([{ path: "file", content: "x" }]), compression: "gzip" }] as const;
  registry.addImage("foreign", "latest", { layers, architecture: "s390x" });
  registry.addImage("own", "latest", { layers, architecture: hostPlatform().architecture });
});
afterAll(() => registry[Symbol.asyncDispose]());

const ensure = ({ context, store }: TemporaryStore, name: string, platform?: string) =>
  ensureImage({ context, store, facts: readHostFacts(process.env) }, `${registry.host}/${name}`, {
    policy: "missing",
    platform: platform === undefined ? undefined : parsePlatform(platform),
    tlsVerify: true,
  });

test("another platform than the one that was asked for is refused, and nothing of it is kept", async () => {
  await using temporary = temporaryPullStore();
  await expect(ensure(temporary, "own", "linux/s390x")).rejects.toMatchObject({
    code: "NO_MATCHING_PLATFORM",
    step: `choose linux/s390x from ${registry.host}/own:latest`,
    because: `it is there for linux/${hostPlatform().architecture} only`,
  });
  expect(readEntries(temporary.store)).toEqual([]);
  expect(temporary.warnings).toEqual([]);
});

test("another platform than this machine's is a warning, for an image that is pulled and for one that is here", async () => {
  await using temporary = temporaryPullStore();
  const machine = `linux/${hostPlatform().architecture}`;
  const warning = `${registry.host}/foreign:latest is made for linux/s390x; this machine is ${machine}`;
  await ensure(temporary, "foreign");
  expect(temporary.warnings.splice(0)).toEqual([warning]);
  await ensure(temporary, "foreign");
  expect(temporary.warnings.splice(0)).toEqual([warning]);
  await ensure(temporary, "foreign", "linux/s390x");
  await ensure(temporary, "own");
  expect(temporary.warnings).toEqual([]);
});

test("without subordinate ids nothing is fetched", async () => {
  await using temporary = temporaryPullStore();
  const facts = { ...readHostFacts(process.env), uid: 4321, subuids: [], subgids: [] };
  const before = registry.requests.length;
  const reference = parseReference(`${registry.host}/own`);
  const options = { platform: undefined, tlsVerify: true };
  await expect(pull(temporary.context, temporary.store, () => facts, reference, options)).rejects.toMatchObject({
    code: "NO_SUBIDS",
  });
  expect(registry.requests.slice(before)).toEqual([]);
});
