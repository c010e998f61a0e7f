/**
 * skopeo's directories (containers-transports(5) "dir"): `version`, `manifest.json`, and blobs under the hex of their digests;
 * manifests that an index lists, as `HEX.manifest.json`. `dir:` means these where a directory has such a `version` file, else
 * a root file system to run.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DevboxError } from "../../core/errors.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { digestHex } from "../../oci/digest.ts";

/** 1.0 named blobs with suffixes; it is of 2017, and read by nobody. */
export const versionFile = { path: "version", content: "Directory Transport Version: 1.1\n" } as const;

/** The image itself, or the index. */
export const topName = "manifest.json";

/** Whether the directory is one of skopeo's. @throws DevboxError UNSUPPORTED_MEDIA_TYPE of a version that nobody knows */
export function isSkopeoDirectory(directory: string): boolean {
  const found = readVersion(directory);
  if (found === undefined || !/^Directory Transport Version: /.test(found)) return false;
  if (/^Directory Transport Version: 1\.[1-9]\d*\n?$/.test(found)) return true;
  throw new DevboxError("UNSUPPORTED_MEDIA_TYPE", {
    step: `read dir:${directory}`,
    because: `its form is not known: ${JSON.stringify(found.slice(0, 60))}`,
    hint: "copy it with the tool that made it: skopeo copy dir:DIR oci:DIR",
  });
}

function readVersion(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, versionFile.path), "utf8");
  } catch {
    return undefined;
  }
}

export function blobName(digest: Digest): string {
  return digestHex(digest);
}

export function manifestName(digest: Digest): string {
  return `${digestHex(digest)}.manifest.json`;
}
