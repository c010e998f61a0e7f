/** Debian's kernel, unpacked once a machine and installed nowhere: for the virtual machine. */
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";

/** `boot/vmlinuz-*` and `lib/modules` are in it; undefined where it can be had neither from the cache nor from apt. */
export async function kernelCache(): Promise<string | undefined> {
  const base = process.getuid?.() === 0 ? "/var/cache" : (process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"));
  const cache = join(base, "devbox-test-kernel");
  if (existsSync(cache)) return cache;
  const scratch = `${cache}.${process.pid}`;
  mkdirSync(join(scratch, "unpacked"), { recursive: true });
  try {
    const depends = await $`apt-cache depends linux-image-amd64`.nothrow().text();
    const [, image] = /Depends: (linux-image-\S+)/.exec(depends) ?? [];
    if (image === undefined) return undefined;
    const script = 'cd "$1" && apt-get download -qq "$2" && dpkg -x *.deb unpacked';
    if ((await $`sh -c ${script} sh ${scratch} ${image}`.nothrow().quiet()).exitCode !== 0) return undefined;
    renameSync(join(scratch, "unpacked"), cache);
    return cache;
  } catch (error) {
    // Another has been quicker.
    if (existsSync(cache)) return cache;
    throw error;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
