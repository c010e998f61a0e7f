import { expect, test } from "bun:test";
import { installHint } from "../../../src/host/distribution.ts";

test.each([
  ["ID=debian\n", "sudo apt-get install uidmap"],
  ['PRETTY_NAME="x"\nID=linuxmint\nID_LIKE="ubuntu debian"\n', "sudo apt-get install uidmap"],
  ["ID=fedora\n", "sudo dnf install shadow-utils"],
  ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', "sudo dnf install shadow-utils"],
  ['ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "sudo zypper install shadow"],
  ["ID=arch\n", "sudo pacman -S shadow"],
  ["ID=alpine\n", "sudo apk add shadow-uidmap"],
])("%p", (osRelease, line) => {
  expect(installHint("newuidmap", osRelease)).toBe(`install it: ${line}`);
});

test("an unknown distribution", () => {
  const hint = installHint("newuidmap", "ID=plan9\n");
  expect(hint).toContain("brings newuidmap");
  expect(hint).toContain("uidmap or shadow-utils");
  expect(installHint("slirp4netns", "")).toBe("install the package that brings slirp4netns (slirp4netns)");
});

test("this machine's own", () => expect(installHint("slirp4netns")).toContain("slirp4netns"));
