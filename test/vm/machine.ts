/**
 * A virtual machine whose control groups are of version 2 alone: Debian's kernel, and in its memory busybox, the compiled
 * devbox and the sources. It needs neither root nor KVM, and half a minute.
 */
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { $ } from "bun";
import { devboxBinary } from "../helpers/given.ts";

const project = resolve(import.meta.dir, "../..");

export interface MachineParts {
  readonly qemu: string;
  /** Of `kernelCache`. */
  readonly kernel: string;
}

/** What of a machine is not there, in words; or the parts. */
export function findMachine(): MachineParts | string {
  if (process.arch !== "x64") return "the virtual machine is made for x86_64";
  const qemu = Bun.which("qemu-system-x86_64");
  if (qemu === null) return "qemu-system-x86_64 is not installed";
  const kernel = process.env["DEVBOX_TEST_KERNEL"];
  return kernel === undefined ? "scripts/test has found no kernel for it" : { qemu, kernel };
}

export interface MachineResult {
  readonly name: string;
  readonly outcome: "pass" | "fail" | "skip";
  /** What was printed before the name: of a failure the reason. */
  readonly said: string;
}

export interface MachineRun {
  readonly results: readonly MachineResult[];
  /** All that the console has shown. */
  readonly console: string;
  readonly hasEnded: boolean;
}

const hangMs = 180_000;

/** Runs test files (paths below the project) in the machine, as root. `directory` takes its memory's contents. */
export async function runInMachine(
  { qemu, kernel }: MachineParts,
  directory: string,
  tests: readonly string[],
): Promise<MachineRun> {
  const initramfs = await makeInitramfs(directory, kernel, tests);
  const [image = ""] = readdirSync(join(kernel, "boot")).filter((name) => name.startsWith("vmlinuz"));
  // In one thread: with one for each processor the machine has stood still, if seldom, and is no faster on a busy host.
  const machine = ["-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2", "-m", "1G"];
  const devices = ["-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"];
  // Its protections of processors against each other only cost time in a machine that is interpreted.
  const options = "console=ttyS0 loglevel=1 panic=-1 mitigations=off nokaslr";
  const boot = ["-kernel", join(kernel, "boot", image), "-initrd", initramfs, "-append", options];
  const child = Bun.spawn([qemu, ...machine, ...devices, ...boot], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: hangMs,
    killSignal: "SIGKILL",
  });
  const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const console = `${out}${errors}`.replaceAll("\r", "");
  return { results: parseResults(console), console, hasEnded: console.includes("the tests have ended") };
}

/** The tree as a cpio archive (Documentation/driver-api/early-userspace/buffer-format.rst), all of it root's. */
async function makeInitramfs(directory: string, kernel: string, tests: readonly string[]): Promise<string> {
  const root = join(directory, "machine");
  for (const name of ["bin", "proc", "sys", "dev", "tmp", "etc", "root", "lib", "project/dist"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  copyFileSync(join(import.meta.dir, "init"), join(root, "init"));
  chmodSync(join(root, "init"), 0o755);
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  copyFileSync(devboxBinary(), join(root, "bin/devbox"));
  await copyLibraries(devboxBinary(), root);
  await copyScratchModule(kernel, root);
  for (const name of ["src", "ffi", "test", "package.json", "bunfig.toml", "tsconfig.json"]) {
    cpSync(join(project, name), join(root, "project", name), { recursive: true });
  }
  for (const name of ["launcher-x86_64.txt", "launcher-aarch64.txt"]) {
    copyFileSync(join(project, "dist", name), join(root, "project/dist", name));
  }
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
  writeFileSync(join(root, "tests"), `${tests.join("\n")}\n`);
  const archive = join(directory, "initramfs");
  await $`sh -c ${'cd "$1" && find . | busybox cpio -o -H newc -R 0:0 2>/dev/null >"$2"'} sh ${root} ${archive}`;
  return archive;
}

/** The shared libraries of a program, at the places where the dynamic loader looks for them (ldd(1)). */
async function copyLibraries(program: string, root: string): Promise<void> {
  const listing = await $`ldd ${program}`.text();
  for (const [path] of listing.matchAll(/\/\S+(?= \()/g)) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    await $`cp --dereference ${path} ${join(root, path)}`;
  }
}

/** A block device in memory, for limits of io; without it those tests are left out. */
async function copyScratchModule(kernel: string, root: string): Promise<void> {
  const [release = ""] = readdirSync(join(kernel, "lib/modules"));
  const module = join(kernel, "lib/modules", release, "kernel/drivers/block/brd.ko");
  if (existsSync(module)) copyFileSync(module, join(root, "lib/brd.ko"));
}

/** Lines of bun test: `(fail) group > name [12.50ms]`, each below what belongs to it. */
function parseResults(console: string): readonly MachineResult[] {
  const results: MachineResult[] = [];
  let said: string[] = [];
  for (const line of console.split("\n")) {
    // Failed and skipped ones are listed a second time at the end.
    if (/^\d+ tests? (?:failed|skipped):$/.test(line)) break;
    const [, outcome, name] = /^\((pass|fail|skip)\) (.*?)(?: \[[\d.]+m?s\])?$/.exec(line) ?? [];
    if (name === undefined || (outcome !== "pass" && outcome !== "fail" && outcome !== "skip")) {
      said.push(line);
      continue;
    }
    results.push({ name, outcome, said: said.join("\n") });
    said = [];
  }
  return results;
}
