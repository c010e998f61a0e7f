/** Debian as a tree, from whatever mirror this machine's own apt is set up with. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { $ } from "bun";

interface Release {
  readonly mirror: string;
  readonly codename: string;
}

/** The first Debian archive among apt's sources that is a whole release, not updates or security. */
export async function debianRelease(): Promise<Release> {
  const format = "$(REPO_URI) $(CODENAME) $(COMPONENT) $(LABEL) $(IDENTIFIER)";
  const lines = (await $`apt-get indextargets --format ${format}`.text()).split("\n");
  for (const line of lines) {
    const [mirror, codename, component, label, identifier] = line.split(" ");
    const whole = label === "Debian" && component === "main" && identifier === "Packages" && !codename?.includes("-");
    if (whole && mirror !== undefined && codename !== undefined) return { mirror, codename };
  }
  throw new Error("no Debian archive among the apt sources: run apt-get update");
}

/** debootstrap's smallest variant, without its downloads. As root. */
export async function debianTree(tree: string, release: Release): Promise<void> {
  // The tree is packed and thrown away: dpkg need not wait for the disk after every file (dpkg(1) --force-unsafe-io).
  const unsafe = join(tree, "etc/dpkg/dpkg.cfg.d/unsafe-io");
  mkdirSync(dirname(unsafe), { recursive: true });
  writeFileSync(unsafe, "force-unsafe-io\n");
  const log = await $`debootstrap --variant=minbase ${release.codename} ${tree} ${release.mirror}`.nothrow().quiet();
  if (log.exitCode !== 0) throw new Error(`debootstrap failed:\n${log.stdout}${log.stderr}`);
  rmSync(unsafe);
  for (const waste of ["var/cache/apt", "var/lib/apt/lists", "var/log"]) {
    rmSync(join(tree, waste), { recursive: true, force: true });
  }
}
