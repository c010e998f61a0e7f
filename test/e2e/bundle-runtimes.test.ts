/** The same bundle under devbox oci, runc and crun: the box is the same, and its hooks see the same. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { hookPoints } from "../../src/oci/runtime-words.ts";
import { boxHome } from "../helpers/box.ts";
import { devboxBinary } from "../helpers/given.ts";
import type { Config } from "../helpers/oci-runtime.ts";
import { isPossible, runtimes } from "../helpers/runtimes.ts";

const { home, image } = boxHome();
const others = (["runc", "crun"] as const).filter(isPossible);
const engines: Readonly<Record<string, readonly string[]>> = {
  devbox: [devboxBinary(), "oci"],
  ...Object.fromEntries(others.map((name) => [name, runtimes[name]])),
};
let made = 0;

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function bundle(flags: readonly string[], script: string, change?: (config: Config) => void): Promise<string> {
  const directory = join(home.directory, `same-${made++}`);
  await home.ok(["bundle", "--network", "none", ...flags, image, directory, "--", "sh", "-c", script]);
  const file = join(directory, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  change?.(config);
  writeFileSync(file, JSON.stringify(config));
  return directory;
}

async function run(engine: string, directory: string): Promise<Outcome> {
  const state = join(home.directory, `state-${engine}`);
  mkdirSync(state, { recursive: true });
  const id = `devbox-same-${process.pid}-${made++}`;
  const words = [...(engines[engine] ?? []), "--root", state, "run", "--bundle", directory, id];
  const { exitCode, stdout, stderr } = await $`${words}`.env(home.env).quiet().nothrow();
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** Under each engine; what differs from devbox's shows in the error. */
async function same(directory: string): Promise<Outcome> {
  const ours = await run("devbox", directory);
  for (const name of others) expect({ name, ...(await run(name, directory)) }).toEqual({ name, ...ours });
  return ours;
}

/**
 * Each mount with its root, its options and its file system: but for what the engines add of their own (device nodes, masks,
 * control groups), and for the options of the one sysfs that there is for all.
 */
const mounts = `
  while read -r id up device root at options rest; do
    case $at in /proc*|/sys/*|/dev/null|/dev/zero|/dev/full|/dev/random|/dev/urandom|/dev/tty) continue;; esac
    [ $at = /sys ] && rest=sysfs
    echo "$at $root $(echo $options | tr , '\\n' | sort | xargs) \${rest##* - }" | sed 's#/[^ ]*/same-[0-9]*/#BUNDLE/#'
  done < /proc/self/mountinfo | sort`;

const probes: Readonly<Record<string, string>> = {
  "who it is": "id; grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp):' /proc/self/status; umask",
  "its limits": "cat /proc/self/limits; cat /proc/self/oom_score_adj",
  "its environment": "env | grep -v ^SHLVL= | sort; pwd; hostname; cat /proc/sys/kernel/domainname",
  "its devices": `
    cd /dev; stat -c '%n %F %t:%T %a %u:%g' * | grep -v '^core ' | sort
    for link in fd stdin stdout stderr ptmx; do readlink $link; done`,
  "its mounts": mounts,
  "what is hidden and what is read-only": `
    for path in /proc/kcore /proc/keys /proc/timer_list /proc/acpi /proc/scsi /sys/firmware; do
      [ -e $path ] && echo "$path $(cat $path 2>/dev/null | wc -c) $(ls $path | grep -v ^/ | wc -l)"
    done
    for path in /proc/sys /proc/bus /proc/irq /proc/fs /proc/sysrq-trigger; do
      grep " $path " /proc/self/mountinfo | grep -c ' ro[, ]' || true
    done`,
  "its processes": "ps | grep -c ' sh '; echo $$; cat /proc/1/comm",
  "its files":
    "cat /etc/hostname /etc/resolv.conf; touch /etc/new /tmp/new; ls -ld /tmp /etc/new /tmp/new | cut -d' ' -f1; rm /etc/new",
};

const flags = [
  ["--env", "A=ä b", "--workdir", "/data", "--hostname", "same"],
  ["--tmpfs", "/scratch:size=64k,mode=1751,noexec", "--ulimit", "nofile=100:200", "--ulimit", "core=0:0"],
  ["--cap-add", "SYS_TIME", "--cap-drop", "CHOWN"],
].flat();

describe.skipIf(others.length === 0)("the same bundle", () => {
  test.each(Object.entries(probes))("%s", async (_, script) => {
    const { exitCode, stdout, stderr } = await same(await bundle(flags, script));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).not.toBe("");
  });

  test.each([
    ["of another user", ["--user", "1000:1000"]],
    ["with a root that is read-only", ["--read-only"]],
    ["without capabilities", ["--cap-drop", "ALL"]],
    ["with all of them", ["--privileged"]],
    ["whose privileges may grow", ["--security-opt", "no-new-privileges"]],
  ])("%s", async (_, more) => {
    const script = `${probes["who it is"]}; touch /new 2>&1; ls -l /new | cut -d' ' -f1`;
    await same(await bundle(more, script));
  });

  test.each([
    ["exit 7", 7],
    ["kill -9 $$; sleep 1", undefined],
    ["exec /bin/not-there", 127],
    ["kill -15 $$; exit 5", 5],
  ])("ends as the script does: %s", async (script, status) => {
    const { exitCode } = await same(await bundle([], script));
    if (status !== undefined) expect(exitCode).toBe(status);
  });

  test("its hooks: order, state, and where they run", async () => {
    const ran: Record<string, string> = {};
    for (const engine of Object.keys(engines)) {
      const out = join(home.directory, `hooks-${engine}`);
      mkdirSync(out);
      const directory = await bundle([], "echo the command", (config) => {
        config.mounts.push({ destination: "/outside", type: "bind", source: out, options: ["bind", "rw"] });
        config.annotations = { "org.example": "kept" };
        config.hooks = Object.fromEntries(
          hookPoints.map((point) => {
            const to = point === "startContainer" ? "/outside" : out;
            const script = `
              state=$(cat)
              field() { echo "$state" | grep -o "\\"$1\\": *\\"[^\\"]*\\"" | head -n 1 | tr -d ' '; }
              [ $(readlink /proc/self/ns/mnt) = "$HOST" ] && where=host || where=box
              echo "$POINT $where $(field status) $(field org.example) $(field ociVersion | cut -d: -f1)" \\
                $(echo "$state" | grep -c '"bundle"') $(env | grep -v -E '^(SHLVL|PWD|OLDPWD|_|HOST|POINT)=' | xargs) >> ${to}/log`;
            const host = Bun.spawnSync(["readlink", "/proc/self/ns/mnt"]).stdout.toString().trim();
            const env = [`POINT=${point}`, `HOST=${host}`, "MINE=1", "PATH=/bin:/usr/bin"];
            return [point, [{ path: "/bin/sh", args: ["sh", "-c", script], env }]];
          }),
        );
      });
      const { exitCode, stdout, stderr } = await run(engine, directory);
      ran[engine] = `${exitCode} ${stderr} ${stdout}${readFileSync(join(out, "log"), "utf8")}`;
    }
    const lines = (name: string): string[] => (ran[name] ?? "").split("\n").sort();
    /** runc 1.1 says "creating" to prestart hooks, and runs poststart ones before the process is told to go on. */
    const forRunc = (line: string): string => line.replace(/^(prestart|poststart) (.*?)"status":"\w+"/, "$1 $2");
    /** crun 1.8 has states of its own for hooks, and here itself no longer the mount namespace of the host. */
    const forCrun = (line: string): string => line.replace(/ (?:host|box) "status":"\w+"/, "");
    for (const name of others) {
      const alike = name === "runc" ? forRunc : forCrun;
      const saw = lines(name).map(alike);
      expect({ name, saw }).toEqual({ name, saw: lines("devbox").map(alike) });
    }
    const order = [...(ran["devbox"] ?? "").matchAll(/^(\w+) (?:host|box)/gm)];
    expect(order.map(([, point]) => point)).toEqual([...hookPoints]);
  });
});
