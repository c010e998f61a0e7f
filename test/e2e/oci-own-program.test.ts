/** What a box could write to of the host's programs (CVE-2019-5736): neither devbox nor its launcher. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "../helpers/devbox.ts";
import { devboxBinary } from "../helpers/given.ts";
import { type OciRuntime, openOciRuntime } from "../helpers/oci-runtime.ts";

let oci: OciRuntime;
beforeAll(async () => {
  oci = await openOciRuntime();
});
afterAll(() => oci[Symbol.asyncDispose]());

/** Everything about the file that whoever has written to it would have changed. */
function programState(): unknown {
  const { size, ino, mode, mtimeNs, ctimeNs } = statSync(devboxBinary(), { bigint: true });
  const sum = new Bun.CryptoHasher("sha256").update(readFileSync(devboxBinary())).digest("hex");
  return { size, ino, mode, mtimeNs, ctimeNs, sum };
}

async function untouched<T>(action: () => Promise<T>): Promise<T> {
  const before = programState();
  const result = await action();
  expect(programState()).toEqual(before);
  return result;
}

/** All capabilities, no filter, and as root of the machine no user namespace: nothing but the kernel's own rules. */
async function almighty(args: readonly string[], change?: (directory: string) => void): Promise<string> {
  return oci.bundle(args, (config, directory) => {
    for (const name of Object.keys(config.process.capabilities))
      config.process.capabilities[name] = ["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_FOWNER"];
    config.process.noNewPrivileges = false;
    config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs" });
    change?.(directory);
  });
}

/** Puts a script in the root whose interpreter is whatever runs it. */
function trap(directory: string): void {
  const path = join(directory, "rootfs/bin/trap");
  writeFileSync(path, "#!/proc/self/exe\n");
  chmodSync(path, 0o755);
  symlinkSync("/proc/self/exe", join(directory, "rootfs/bin/link"));
}

/** Opens the program of each process that there is for writing, again and again, until told to stop; tells what it could open. */
const overwrite = `
  until [ -e /tmp/stop ]; do
    for exe in /proc/[0-9]*/exe; do
      case $exe in /proc/$$/*) continue;; esac
      (echo overwritten >> $exe) 2>/dev/null && echo "$exe $(readlink $exe)" >> /tmp/written
      [ -e /tmp/up ] || touch /tmp/up
    done
  done
  cat /tmp/written 2>/dev/null; echo done`;

describe("/proc/self/exe as the command", () => {
  test.each([
    ["itself", ["/proc/self/exe", "--version"]],
    ["by a script", ["/bin/trap"]],
    ["by a symlink", ["/bin/link", "--version"]],
    ["by the descriptor of a process", ["/proc/self/fd/3"]],
  ])("%s", async (_, args) => {
    const bundle = await almighty(args, trap);
    const { stdout, exitCode, stderr } = await untouched(() => oci.run(["run", "--bundle", bundle, oci.id()]));
    // What runs then is the launcher in its sealed memfd, with no plan, or nothing; never devbox.
    expect({ stdout, exitCode: exitCode === 0 }).toEqual({ stdout: "", exitCode: false });
    expect(stderr).not.toContain("Usage");
  });
});

describe("a box that waits for devbox to come in", () => {
  test.each([
    ["an ordinary command", ["true"]],
    ["/proc/self/exe", ["/proc/self/exe"]],
    ["a script that it interprets", ["/bin/trap"]],
  ])("exec of %s", async (_, args) => {
    const id = oci.id();
    const bundle = await almighty(["sh", "-c", overwrite], trap);
    await untouched(async () => {
      const box = oci.start(["run", "--bundle", bundle, id]);
      const come = async (): Promise<Result> => oci.run(["exec", id, ...args]);
      while ((await oci.run(["exec", id, "ls", "/tmp/up"])).exitCode !== 0) await Bun.sleep(5);
      for (let round = 0; round < 10; round++) await come();
      await oci.ok(["exec", id, "touch", "/tmp/stop"]);
      const { stdout } = await box.result;
      expect(stdout).toEndWith("done\n");
      expect(stdout).not.toMatch(/devbox|memfd/);
    });
  });

  test("the launcher that looks after it is out of its sight", async () => {
    const script = "for exe in /proc/[0-9]*/exe; do readlink $exe; done | sort -u";
    const bundle = await almighty(["sh", "-c", script]);
    expect(await oci.ok(["run", "--bundle", bundle, oci.id()])).toBe("/bin/busybox\n");
  });

  test("with the host's processes in sight, as no box of ours is, the launcher is sealed", async () => {
    const script = `for pid in $(ls /proc | grep '^[0-9]*$'); do
        case $(readlink /proc/$pid/exe) in
          *memfd:*) echo found; (echo x >> /proc/$pid/exe) 2>&1;;
        esac
      done`;
    const bundle = await oci.bundle(["sh", "-c", script], (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }: { type: string }) => type !== "pid");
      config.mounts = config.mounts.filter(({ type }: { type: string }) => type !== "proc");
      config.mounts.push({ destination: "/proc", source: "/proc", options: ["rbind"] });
      config.linux.maskedPaths = config.linux.readonlyPaths = [];
    });
    const output = await untouched(() => oci.run(["run", "--bundle", bundle, oci.id()]));
    for (const line of output.stdout
      .trim()
      .split("\n")
      .filter((each) => each !== "found" && each !== ""))
      expect(line).toMatch(/Operation not permitted|Permission denied|Text file busy/);
  });
});
