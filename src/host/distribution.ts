/** Which package brings a helper program on this distribution: for hints, so it is read only when something is missing. */
import { readFileSync } from "node:fs";

type Family = "debian" | "fedora" | "suse" | "arch" | "alpine";

/** ID and ID_LIKE of os-release(5) → whose packages. */
const families: Readonly<Record<string, Family>> = {
  debian: "debian",
  ubuntu: "debian",
  fedora: "fedora",
  rhel: "fedora",
  centos: "fedora",
  suse: "suse",
  opensuse: "suse",
  sles: "suse",
  arch: "arch",
  alpine: "alpine",
};

const installers: Readonly<Record<Family, string>> = {
  debian: "sudo apt-get install",
  fedora: "sudo dnf install",
  suse: "sudo zypper install",
  arch: "sudo pacman -S",
  alpine: "sudo apk add",
};

export type Helper = "newuidmap" | "slirp4netns";

/** newuidmap and newgidmap come together. */
const packages: Readonly<Record<Helper, Readonly<Record<Family, string>>>> = {
  newuidmap: { debian: "uidmap", fedora: "shadow-utils", suse: "shadow", arch: "shadow", alpine: "shadow-uidmap" },
  slirp4netns: {
    debian: "slirp4netns",
    fedora: "slirp4netns",
    suse: "slirp4netns",
    arch: "slirp4netns",
    alpine: "slirp4netns",
  },
};

/** One line to paste: `install it: sudo apt-get install uidmap`. `osRelease`: text of os-release(5). */
export function installHint(helper: Helper, osRelease: string = readOsRelease()): string {
  const family = familyOf(osRelease);
  if (family !== undefined) return `install it: ${installers[family]} ${packages[helper][family]}`;
  const names = [...new Set(Object.values(packages[helper]))].join(" or ");
  return `install the package that brings ${helper} (${names})`;
}

function familyOf(osRelease: string): Family | undefined {
  const value = (key: string): string =>
    new RegExp(`^${key}=["']?([^"'\\n]*)`, "m").exec(osRelease)?.[1]?.toLowerCase() ?? "";
  return [value("ID"), ...value("ID_LIKE").split(" ")]
    .map((id) => families[id] ?? families[id.split("-")[0] ?? ""])
    .find((family) => family !== undefined);
}

function readOsRelease(): string {
  for (const path of ["/etc/os-release", "/usr/lib/os-release"]) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      // The second place is the fallback of os-release(5).
    }
  }
  return "";
}
