/** Where a named volume lies, by its name: pure, and on the way of every `run`. */
import { join } from "node:path";

/** docker's names (moby, daemon/names/names.go): two characters at least. */
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/;

export function isVolumeName(text: string): boolean {
  return namePattern.test(text);
}

export function volumeDirectory(storeRoot: string, name: string): string {
  return join(storeRoot, "volumes", name);
}

/** What boxes see of it: docker's name for the directory, for those who look. */
export function volumeData(storeRoot: string, name: string): string {
  return join(volumeDirectory(storeRoot, name), "_data");
}

/** docker's form of a name for a volume that was given none. */
export function isMadeUpName(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}
