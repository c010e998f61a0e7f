/**
 * Leases: a pull says what it is about to refer to, before it looks what is there. Prune takes what a living pull has
 * leased for referenced, so the two can run at once, however long the download takes. The lease is a file that its
 * process keeps locked: it ends with the process.
 */
import { readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { Digest } from "../oci/descriptor.ts";
import { member, parseJson, readArray } from "../oci/json.ts";
import { readDigest } from "../oci/parse.ts";
import { randomHex } from "./atomic-write.ts";
import { tryLock, waitForLock } from "./locks.ts";
import { referencesLockPath } from "./paths.ts";
import type { Store } from "./types.ts";

export interface Leased {
  readonly blobs: readonly Digest[];
  readonly chainIds: readonly Digest[];
}

const prefix = "lease-";
const maxLeaseBytes = 1024 * 1024;

/** Lease until disposed. */
export async function takeLease(context: Context, store: Store, leased: Leased): Promise<Disposable> {
  using _references = await waitForLock(context, referencesLockPath(store), "shared");
  const path = join(store.locks, `${prefix}${randomHex(16)}`);
  const lock = tryLock(path, "exclusive");
  if (lock === undefined)
    throw new DevboxError("INTERNAL", { step: `lock ${path}`, because: "its random name is taken" });
  writeSync(lock.fd, JSON.stringify(leased));
  return { [Symbol.dispose]: () => lock.remove() };
}

/** What living processes have leased; the files of dead ones are removed. The references lock must be held exclusively. */
export function readLeases(store: Store): Leased {
  const blobs: Digest[] = [];
  const chains: Digest[] = [];
  for (const name of readdirSync(store.locks)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(store.locks, name);
    const abandoned = tryLock(path, "exclusive");
    if (abandoned !== undefined) {
      abandoned.remove();
      continue;
    }
    const place = parseJson(readFileSync(path), { code: "STORE_DAMAGED", step: `read ${path}` }, maxLeaseBytes);
    blobs.push(...readArray(member(place, "blobs"), readDigest));
    chains.push(...readArray(member(place, "chainIds"), readDigest));
  }
  return { blobs, chainIds: chains };
}
