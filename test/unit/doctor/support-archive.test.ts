import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strFromU8, unzipSync } from "fflate";
import { silentContext } from "../../../src/core/context.ts";
import type { ProbeInput } from "../../../src/doctor/finding.ts";
import { collectArchive, writeArchive } from "../../../src/doctor/support-archive.ts";

const directory = mkdtempSync(join(tmpdir(), "devbox-archive-"));
afterAll(() => rmSync(directory, { recursive: true }));

const files: Readonly<Record<string, string>> = {
  "/etc/os-release": "ID=debian\n",
  "/proc/sys/user/max_user_namespaces": "1000\n",
  "/proc/self/mountinfo": "1 2 0:3 / /nas rw - cifs //nas/x rw,username=me,password=s3cret\n",
  "/home/me/.docker/config.json": '{"auths":{"ghcr.io":{"auth":"s3cret"}}}',
  "/run/user/7/containers/auth.json": "s3cret, not JSON",
  "/home/me/.config/containers/registries.conf": 'location = "https://me:s3cret@mirror"\n',
};

const input: ProbeInput = {
  context: { ...silentContext(), env: { XDG_RUNTIME_DIR: "/run/user/7", TOKEN: "s3cret", PATH: "/bin" } },
  host: {
    architecture: "x86_64",
    uid: 7,
    gid: 7,
    userName: "me",
    home: "/home/me",
    subuids: [],
    subgids: [],
    ownUids: [],
    ownGids: [],
    helpers: { newuidmap: undefined, newgidmap: undefined, slirp4netns: undefined },
  },
  storeRoot: "/home/me/.local/share/devbox",
  readText: (path) => files[path],
};

const collected = collectArchive(input, { devbox: "1.2.3", bun: "1" }, [{ name: "kernel", status: "ok", detail: "6" }]);

test("no secret is in it, whichever file it came from", () => {
  expect(JSON.stringify(collected)).not.toContain("s3cret");
});

test("what helps is in it", () => {
  expect(Object.keys(collected).sort()).toEqual([
    "doctor.json",
    "environment.json",
    "files/etc/os-release",
    "files/home/.config/containers/registries.conf",
    "files/home/.docker/config.json",
    "files/proc/self/mountinfo",
    "files/run/user/7/containers/auth.json",
    "host.json",
    "sysctl.txt",
    "versions.json",
  ]);
  expect(collected["doctor.json"]).toContain('"kernel"');
  expect(collected["versions.json"]).toContain('"devbox": "1.2.3"');
  expect(collected["sysctl.txt"]).toContain("user/max_user_namespaces = 1000\n");
  expect(collected["sysctl.txt"]).toContain("kernel/unprivileged_userns_clone = -\n");
  expect(collected["files/home/.docker/config.json"]).toContain("ghcr.io");
  expect(collected["files/proc/self/mountinfo"]).toContain("username=me");
});

test("it is a zip file, and the user's own", () => {
  const path = join(directory, "support.zip");
  writeArchive(path, collected);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const unzipped = unzipSync(readFileSync(path));
  expect(strFromU8(unzipped["files/etc/os-release"] ?? new Uint8Array())).toBe("ID=debian\n");
});

test("a place that cannot be written is named", () => {
  expect(() => writeArchive(join(directory, "missing/support.zip"), collected)).toThrow(
    expect.objectContaining({ code: "USAGE", step: `write ${directory}/missing/support.zip` }),
  );
});
