/** Limits of boxes, where this user may have control groups; where not, they are warned of. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { BoxSettings } from "../../src/box/settings.ts";
import { boxHome } from "../helpers/box.ts";
import { detachedBoxes, untilTerm } from "../helpers/detached.ts";

const here = boxHome();
const { home, image, sh } = here;
const { start, printed, end, record, events } = detachedBoxes(here);

const settings = (id: string): BoxSettings =>
  JSON.parse(readFileSync(join(home.store, "boxes", id, "settings.json"), "utf8"));

/** The first of the files that is there in one of the box's groups. */
function control(id: string, ...files: readonly string[]): string | undefined {
  const paths = (settings(id).cgroup?.directories ?? []).flatMap((directory) =>
    files.map((file) => join(directory, file)),
  );
  const path = paths.find((each) => existsSync(each));
  return path === undefined ? undefined : readFileSync(path, "utf8").trim();
}

const flags = ["--memory", "64m", "--pids-limit", "50", "--cpus", "0.5"];

test("limits are set, changed, and set again at the next start; or warned of once", async () => {
  const made = await home.run(["run", "-d", "--network", "none", ...flags, image, "sh", "-c", untilTerm]);
  expect(made.exitCode).toBe(0);
  const id = made.stdout.trim();
  await printed(id, /ready/);
  const cgroup = settings(id).cgroup;
  const memory = () => control(id, "memory.max", "memory.limit_in_bytes");
  if (memory() === undefined) {
    expect(made.stderr.trim().split("\n")).toHaveLength(1);
    expect(made.stderr).toContain("limits");
    return;
  }
  expect(made.stderr).toBe("");
  expect(memory()).toBe(String(64 * 2 ** 20));
  expect(control(id, "pids.max")).toBe("50");
  expect(control(id, "cpu.max", "cpu.cfs_quota_us")).toMatch(/^50000/);
  await home.ok(["update", "--memory", "96m", id]);
  expect(memory()).toBe(String(96 * 2 ** 20));
  await home.ok(["restart", id]);
  expect(memory()).toBe(String(96 * 2 ** 20));
  await home.ok(["rm", "-f", id]);
  expect(cgroup?.directories.filter((directory) => existsSync(directory))).toEqual([]);
});

test("a further process is in the groups of the box", async () => {
  const id = await start(untilTerm);
  await printed(id, /ready/);
  const groups = (pid: string): string => `grep -v '^0::/$' /proc/${pid}/cgroup | sort`;
  const own = await home.ok(["exec", id, "sh", "-c", groups("1")]);
  expect(await home.ok(["exec", id, "sh", "-c", groups("self")])).toBe(own);
  await home.ok(["rm", "-f", id]);
});

test("a box whose memory has run out says so", async () => {
  const wait = "while [ ! -e /go ]; do sleep 0.05; done";
  const id = await start(`${wait}; tail /dev/zero`, ["--memory", "16m", "--memory-swap", "16m"]);
  if (control(id, "memory.max", "memory.limit_in_bytes") === undefined) {
    await home.ok(["rm", "-f", id]);
    return;
  }
  await home.ok(["exec", id, "touch", "/go"]);
  expect(await end(id)).toBe(137);
  expect(record(id).oomKilled).toBe(true);
  expect(events(id).map(({ action }) => action)).toEqual(expect.arrayContaining(["oom", "die"]));
});

test("in the foreground, too", async () => {
  const result = await sh("cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true", [
    "--pids-limit",
    "40",
  ]);
  expect(result.exitCode).toBe(0);
  expect(result.stderr === "" || result.stderr.trim().split("\n").length === 1).toBe(true);
});
