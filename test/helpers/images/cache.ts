/** The test images, made once a machine. */
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import { asRoot } from "../machine.ts";

/** Raise when build.ts makes other images: a new cache is filled then. */
const imagesVersion = 2;

/** Makes the images where they are missing, as root; of several processes that want them at once, one makes them and the others wait. */
export async function imageCache(): Promise<string> {
  const base = process.getuid?.() === 0 ? "/var/cache" : (process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"));
  const cache = join(base, `devbox-test-images-${imagesVersion}`);
  mkdirSync(base, { recursive: true });
  await $`${[...asRoot, "flock", `${cache}.lock`, process.execPath, join(import.meta.dir, "build.ts"), cache]}`;
  return cache;
}
