/** A bundle of ours is a bundle: runc and crun run it, rootless or as root, on a directory as the root. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BundleInput } from "../../../src/bundle/bundle.ts";
import { createBundle } from "../../../src/bundle/create.ts";
import type { RunOptions } from "../../../src/bundle/options.ts";
import { defaultIdMap } from "../../../src/host/id-map.ts";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { capabilitySets, defaultCapabilities } from "../../../src/sandbox/capabilities.ts";
import { bundleInput } from "../../helpers/bundle-input.ts";
import { isPossible, runtimes } from "../../helpers/runtimes.ts";

const base = mkdtempSync(join(tmpdir(), "devbox-bundle-"));
const rootfs = join(base, "rootfs");

beforeAll(() => {
  for (const name of ["bin", "etc", "proc", "sys", "dev", "tmp", "data"])
    mkdirSync(join(rootfs, name), { recursive: true });
  cpSync("/bin/busybox", join(rootfs, "bin/busybox"));
  for (const name of ["sh", "id", "cat", "env", "mount", "hostname", "touch", "pwd"])
    symlinkSync("busybox", join(rootfs, "bin", name));
  writeFileSync(join(rootfs, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n");
  writeFileSync(join(rootfs, "etc/group"), "root:x:0:\nada:x:1000:\naudio:x:29:ada\n");
  chmodSync(base, 0o755);
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

let boxes = 0;

/** Makes a bundle and runs it; stdout of the box. */
function runWith(runtime: "runc" | "crun", options: Partial<RunOptions>): { code: number; out: string; err: string } {
  const facts = readHostFacts(process.env);
  boxes += 1;
  const id = `devbox-test-${process.pid}-${boxes}`;
  const directory = join(base, id);
  mkdirSync(directory);
  const changes: Partial<BundleInput> = {
    facts,
    idMap: defaultIdMap(facts),
    box: { id, directory, config: `${directory}/config.json`, state: "", lock: "" },
    capabilitySets: (uid) => capabilitySets(defaultCapabilities, uid),
  };
  createBundle(bundleInput(base, { kind: "directory", path: rootfs }, options, changes));
  const result = Bun.spawnSync(
    [...runtimes[runtime], "--root", join(base, "state"), "run", "--bundle", directory, id],
    {
      stdin: "ignore",
    },
  );
  return { code: result.exitCode, out: result.stdout.toString(), err: result.stderr.toString() };
}

describe.each(["runc", "crun"] as const)("%s", (runtime) => {
  test.skipIf(!isPossible(runtime))("runs the command as the user, in the directory, with the environment", () => {
    const script = "id -u; id -G; pwd; env; hostname; cat /etc/hostname";
    const { out, err, code } = runWith(runtime, {
      command: ["/bin/sh", "-c", script],
      user: "ada",
      workdir: "/tmp",
      env: ["A=1"],
      hostname: "lovelace",
    });
    expect({ err, code }).toEqual({ err: "", code: 0 });
    const lines = out.trim().split("\n");
    expect(lines.slice(0, 3)).toEqual(["1000", "1000 29", "/tmp"]);
    expect(lines.slice(-2)).toEqual(["lovelace", "lovelace"]);
    expect(lines).toContain("A=1");
    expect(lines).toContain("HOME=/home/ada");
  });

  test.skipIf(!isPossible(runtime))("mounts what is asked for, and keeps limits that no number holds", () => {
    writeFileSync(join(base, "note"), "hello");
    const { out, err, code } = runWith(runtime, {
      command: ["/bin/sh", "-c", "cat /note; touch /note || echo refused; cat /proc/self/limits; mount"],
      mounts: [
        {
          kind: "bind",
          source: join(base, "note"),
          target: "/note",
          readonly: true,
          createSource: false,
          recursive: true,
        },
        { kind: "tmpfs", target: "/data", options: ["size=64k"] },
      ],
      ulimits: [{ name: "core", soft: 0, hard: "unlimited" }],
    });
    expect({ err: err.replace(/touch: .*\n/, ""), code }).toEqual({ err: "", code: 0 });
    expect(out).toStartWith("hellorefused\n");
    expect(out).toMatch(/Max core file size +0 +unlimited/);
    expect(out).toMatch(/on \/data type tmpfs \(rw,nosuid,nodev,noexec.*size=64k/);
  });
});
