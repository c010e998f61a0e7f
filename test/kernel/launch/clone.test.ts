/** Processes that begin in namespaces and control groups, and who outlives whom. */
import { describe, expect, test } from "bun:test";
import { closeSync, mkdirSync, openSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { CLONE_NEWCGROUP, CLONE_NEWNS, CLONE_NEWPID } from "../../../ffi/constants.ts";
import { defaultIdMap } from "../../../src/host/id-map.ts";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { launch } from "../../../src/launch/launch.ts";
import { beginPlan, type LaunchPlan, type PlanBuilder } from "../../../src/launch/plan.ts";
import { type CloneRequest, cloneProcess, cloneWithUserNamespace } from "../../../src/launch/userns.ts";
import { executeBusybox, outputFile, pipe, readUntil } from "../../helpers/launch-plans.ts";

const host = readHostFacts(process.env);
const shell = (script: string) => (plan: PlanBuilder) => executeBusybox(plan, ["sh", "-c", script]);
const flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWCGROUP;

/** A plan that begins a child and reports it; then it supervises it, or ends. */
function plan(script: string, request: Partial<CloneRequest>, userNamespace: boolean, supervised: boolean): LaunchPlan {
  const made = beginPlan("begin a process");
  const whole = { label: "begin the process", flags, ...request };
  const child = (): void => shell(script)(made);
  const slot = userNamespace
    ? cloneWithUserNamespace(made, { ...whole, map: defaultIdMap(host), host }, child)
    : cloneProcess(made, whole, child);
  made.add({ kind: "report", event: "started", slot });
  if (supervised) made.add({ kind: "supervise", slot, tied: true });
  return made.finish();
}

/** With a user namespace; and without one, which only root may. */
const kinds = host.uid === 0 ? [true, false] : [true];

describe.each(kinds)("with a user namespace: %p", (userNamespace) => {
  test("the launcher writes the child's pid into every control group before the child runs", async () => {
    const [first, second] = [outputFile(), outputFile()];
    const made = plan("exit 0", { cgroups: ["first", "second"] }, userNamespace, true);
    const launched = launch(made, {
      fds: { first: first.fd, second: second.fd },
      stdio: ["ignore", "ignore", "ignore"],
    });
    const event = await launched.nextEvent();
    await launched.wait();
    for (const { text } of [first, second]) expect(text().replace(/\0+$/, "")).toBe(String(event?.value));
    for (const fd of [first.fd, second.fd]) closeSync(fd);
  });

  test("an unsupervised child lives on when the launcher has ended", async () => {
    const [input, output] = [pipe(), pipe()];
    const made = plan("echo ready; read line; echo $line", { unsupervised: true }, userNamespace, false);
    const launched = launch(made, { stdio: [input.read, output.write, "inherit"] });
    for (const fd of [input.read, output.write]) closeSync(fd);
    expect(await launched.wait()).toBe(0);
    await Bun.write(Bun.file(input.write), "alive\n");
    expect(await readUntil(output.read, /alive/)).toBe("ready\nalive\n");
    for (const fd of [input.write, output.read]) closeSync(fd);
  });

  test("an unsupervised child goes away when the launcher fails before it has released it", async () => {
    const alive = pipe();
    const made = plan("read line", { unsupervised: true, cgroups: ["readonly"] }, userNamespace, true);
    const nothing = openSync("/dev/null", "r");
    const launched = launch(
      { ...made, fds: [...made.fds, "alive"] },
      { fds: { readonly: nothing, alive: alive.write } },
    );
    closeSync(alive.write);
    await expect(launched.wait()).rejects.toMatchObject({ step: "put the box into its control group" });
    expect(await Bun.file(alive.read).text()).toBe("");
    for (const fd of [nothing, alive.read]) closeSync(fd);
  });
});

test("a child never outlives a launcher that ends as soon as it has released it", async () => {
  for (let count = 0; count < 20; count++) {
    const [input, output] = [pipe(), pipe()];
    const launched = launch(plan("read line", {}, true, false), { stdio: [input.read, output.write, "inherit"] });
    for (const fd of [input.read, output.write]) closeSync(fd);
    await launched.wait();
    // Its end, and with that of the child: nobody else holds it, and the child waits for its input for ever.
    expect(await Bun.file(output.read).text()).toBe("");
    for (const fd of [output.read, input.write]) closeSync(fd);
  }
});

/** A tree in which root may make control groups, of either version. */
const tree = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"].find((path) => {
  try {
    mkdirSync(`${path}/devbox-probe-${process.pid}`);
    rmdirSync(`${path}/devbox-probe-${process.pid}`);
    return true;
  } catch {
    return false;
  }
});

test.skipIf(tree === undefined)("its control group is the root of its cgroup namespace", async () => {
  const name = `devbox-test-${process.pid}`;
  mkdirSync(`${tree}/${name}`);
  const procs = openSync(`${tree}/${name}/cgroup.procs`, "w");
  const [input, output] = [pipe(), pipe()];
  const launched = launch(plan("cat /proc/self/cgroup; echo ready; read line", { cgroups: ["group"] }, true, true), {
    fds: { group: procs },
    stdio: [input.read, output.write, "inherit"],
  });
  const event = await launched.nextEvent();
  const seen = await readUntil(output.read, /ready/);
  const path = (text: string): string | undefined =>
    text
      .split("\n")
      .map((line) => line.split(":"))
      .find(([id, controllers]) => controllers === "pids" || (id === "0" && !tree?.endsWith("pids")))?.[2];
  expect(path(readFileSync(`/proc/${event?.value}/cgroup`, "utf8"))).toBe(`/${name}`);
  expect(path(seen)).toBe("/");
  expect(readlinkSync(`/proc/${event?.value}/ns/cgroup`)).not.toBe(readlinkSync("/proc/self/ns/cgroup"));
  for (const fd of [input.write, input.read, output.read, output.write, procs]) closeSync(fd);
  await launched.wait();
  rmdirSync(`${tree}/${name}`);
});
