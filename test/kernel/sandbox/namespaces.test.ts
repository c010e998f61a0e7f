/** linux.namespaces on the real kernel: what the process that goes on sees of itself. */
import { describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultIdMap } from "../../../src/host/id-map.ts";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { type Launched, launch } from "../../../src/launch/launch.ts";
import { beginPlan, type PlanBuilder } from "../../../src/launch/plan.ts";
import type { Namespace, NamespaceType } from "../../../src/oci/runtime.ts";
import type { NamespaceInput } from "../../../src/sandbox/input.ts";
import { sharesMounts } from "../../../src/sandbox/mount-namespace.ts";
import { namespaceFiles, namespaceTypes } from "../../../src/sandbox/namespace-flags.ts";
import { mountNamespaceFd } from "../../../src/sandbox/numbers.ts";
import { planNamespaces } from "../../../src/sandbox/plan-namespaces.ts";
import { executeBusybox, outputFile, pipe, readUntil } from "../../helpers/launch-plans.ts";
import { type Neighbour, openNeighbour } from "../../helpers/neighbour.ts";
import { gone } from "../../helpers/processes.ts";

const facts = readHostFacts(process.env);
const isRoot = facts.uid === 0;
/** What an ordinary user must have, and root need not. */
const base: readonly Namespace[] = isRoot ? [{ type: "mount" }] : [{ type: "user" }, { type: "mount" }];
const own = (type: NamespaceType): string => readlinkSync(`/proc/self/ns/${namespaceFiles[type]}`);

interface Begun {
  readonly launched: Launched;
  readonly pid: number;
}

type Changes = Partial<NamespaceInput> & {
  readonly fds?: Readonly<Record<string, number>>;
  readonly stdio?: readonly [number | "ignore", number | "ignore", number | "inherit"];
};

/** Begins, and goes on with what `rest` appends. */
async function begin(
  namespaces: readonly Namespace[],
  rest: (plan: PlanBuilder) => void,
  changes: Changes = {},
): Promise<Begun> {
  const { fds = {}, stdio = ["ignore", "ignore", "inherit"], ...input } = changes;
  const idMap = namespaces.some(({ type, path }) => type === "user" && path === undefined)
    ? defaultIdMap(facts)
    : undefined;
  const plan = planNamespaces({ namespaces, idMap, facts, descriptors: Object.keys(fds), ...input });
  const launched = launch(plan, { fds, stdio });
  const next = beginPlan("go on");
  rest(next);
  launched.proceed(next.finish());
  const event = await launched.nextEvent();
  if (event?.event !== "started") throw new Error(`${event?.event}: status ${await launched.wait()}`);
  return { launched, pid: event.value };
}

const shell = (script: string) => (plan: PlanBuilder) => executeBusybox(plan, ["sh", "-c", script]);

/** As a box does when it has built its root, in a mount namespace of its own. */
const returned = (script: string) => (plan: PlanBuilder) => {
  plan.syscall("go back", "setns", [mountNamespaceFd, 0]);
  shell(script)(plan);
};

/** What a script prints that runs in these namespaces. */
async function output(namespaces: readonly Namespace[], script: string, changes: Changes = {}): Promise<string> {
  const file = outputFile();
  try {
    const { launched } = await begin(namespaces, (sharesMounts(namespaces) ? returned : shell)(script), {
      stdio: ["ignore", file.fd, "inherit"],
      ...changes,
    });
    const status = await launched.wait();
    if (status !== 0) throw new Error(`status ${status}: ${file.text()}`);
    return file.text().trim();
  } finally {
    closeSync(file.fd);
  }
}

const links = namespaceTypes.map((type) => `readlink /proc/self/ns/${namespaceFiles[type]}`).join(";");

/** The links of all kinds, by kind. */
async function linksIn(namespaces: readonly Namespace[], changes: Changes = {}): Promise<Record<string, string>> {
  const lines = (await output(namespaces, links, changes)).split("\n");
  return Object.fromEntries(namespaceTypes.map((type, index) => [type, lines[index] ?? ""]));
}

const without = (types: readonly NamespaceType[]) => namespaceTypes.filter((type) => !types.includes(type));

describe("new namespaces", () => {
  test.each(namespaceTypes)("%s: this one is new, and all that nobody asked for are the runtime's", async (type) => {
    const asked = [...base.filter((each) => each.type !== type), { type }];
    const seen = await linksIn(asked);
    for (const each of asked) expect(seen[each.type]).not.toBe(own(each.type));
    for (const each of without(asked.map((namespace) => namespace.type))) expect(seen[each]).toBe(own(each));
  });

  test("all of them at once, where the process is the first", async () => {
    const all = namespaceTypes.map((type) => ({ type }));
    const seen = await linksIn(all);
    for (const type of namespaceTypes) expect(seen[type]).not.toBe(own(type));
    expect(await output(all, "echo $$")).toBe("1");
  });

  test("the clocks of a time namespace are offset from the first moment", async () => {
    const offsets = { boottime: { secs: 1_000_000 }, monotonic: { secs: 2_000_000, nanosecs: 5 } };
    const [uptime = "0"] = (
      await output([...base, { type: "time" }], "cat /proc/uptime", { timeOffsets: offsets })
    ).split(".");
    expect(Number(uptime)).toBeGreaterThan(1_000_000);
    const set = await output([...base, { type: "time" }], "cat /proc/self/timens_offsets", { timeOffsets: offsets });
    expect(set).toMatch(/^monotonic +2000000 +5\nboottime +1000000 +0$/);
  });

  test("a process that is put into control groups is there before it goes on", async () => {
    for (const namespaces of [base, [...base, { type: "time" } as const]]) {
      const file = outputFile();
      const { launched, pid } = await begin(namespaces, shell("exit 0"), {
        fds: { group: file.fd },
        cgroups: ["group"],
      });
      await launched.wait();
      expect(file.text().replace(/\0+$/, "")).toBe(String(pid));
      closeSync(file.fd);
    }
  });
});

/** Kinds that an ordinary user can join only together with the user namespace that they belong to. */
const along: readonly NamespaceType[] = isRoot ? [] : ["user"];

describe("namespaces joined by path", () => {
  const paths = (neighbour: Neighbour, types: readonly NamespaceType[]): Namespace[] =>
    types.map((type) => ({ type, path: neighbour.path(type) }));
  const mountToo = (namespaces: readonly Namespace[]): readonly Namespace[] =>
    namespaces.some(({ type }) => type === "mount") ? namespaces : [...namespaces, { type: "mount" }];

  test.each(namespaceTypes)("%s", async (type) => {
    const types = [...new Set([...along, type])];
    await using neighbour = await openNeighbour(types);
    const expected = Object.fromEntries(types.map((each) => [each, readlinkSync(neighbour.path(each))]));
    const seen = await linksIn(mountToo(paths(neighbour, types)));
    expect(seen).toMatchObject(expected);
    for (const each of without([...types, "mount"])) expect(seen[each]).toBe(own(each));
  });

  test("all of them at once, also those that must be joined before the user namespace, in any order", async () => {
    const types = namespaceTypes.filter((type) => type !== "time");
    await using neighbour = await openNeighbour(types);
    const expected = Object.fromEntries(types.map((each) => [each, readlinkSync(neighbour.path(each))]));
    expect(await linksIn(paths(neighbour, types))).toMatchObject(expected);
    expect(await linksIn(paths(neighbour, types.toReversed()))).toMatchObject(expected);
  });

  test("in a user namespace that was joined the process is root, and makes what is new there", async () => {
    await using neighbour = await openNeighbour(["user"]);
    const namespaces = [
      ...paths(neighbour, ["user"]),
      ...(["mount", "pid", "network", "uts", "time"] as const).map((type) => ({ type })),
    ];
    const seen = await output(namespaces, "id -u; hostname inside; hostname; cat /proc/uptime", {
      timeOffsets: { boottime: { secs: 3_000_000 } },
    });
    expect(seen).toMatch(/^0\ninside\n3\d{6}/);
  });

  test.if(isRoot)("the runtime's own user namespace by path is no change", async () => {
    const seen = await linksIn([{ type: "user", path: "/proc/self/ns/user" }, { type: "mount" }]);
    expect(seen["user"]).toBe(own("user"));
  });

  test.if(isRoot)(
    "a namespace of the caller's joins a new user namespace (a network that was made beforehand)",
    async () => {
      await using neighbour = await openNeighbour(["network", "ipc"]);
      const seen = await linksIn([
        { type: "user" },
        { type: "mount" },
        { type: "pid" },
        ...paths(neighbour, ["network", "ipc"]),
      ]);
      expect(seen["network"]).toBe(readlinkSync(neighbour.path("network")));
      expect(seen["ipc"]).toBe(readlinkSync(neighbour.path("ipc")));
      expect(seen["user"]).not.toBe(own("user"));
      expect(seen["pid"]).not.toBe(own("pid"));
    },
  );

  test.if(isRoot)(
    "a namespace of the host beside a user namespace: joined before its rights are given up",
    async () => {
      await using user = await openNeighbour(["user"]);
      await using network = await openNeighbour(["network"]);
      const seen = await linksIn([...paths(user, ["user"]), ...paths(network, ["network"]), { type: "mount" }]);
      expect(seen["network"]).toBe(readlinkSync(network.path("network")));
      expect(seen["user"]).toBe(readlinkSync(user.path("user")));
    },
  );

  test.if(isRoot)("in a user namespace where we are nobody the process becomes its root", async () => {
    await using user = await openNeighbour(["user"], { mapped: false });
    for (const file of ["uid_map", "gid_map"]) writeFileSync(`/proc/${user.pid}/${file}`, "0 100000 1000\n");
    expect(await output([...paths(user, ["user"]), { type: "mount" }], "id -u; id -g; id -G")).toBe("0\n0\n0");
  });

  test("the supervisor stays outside, and keeps none of them open", async () => {
    await using neighbour = await openNeighbour([...along, "network"]);
    const [input, written] = [pipe(), pipe()];
    const { launched } = await begin(mountToo(paths(neighbour, [...along, "network"])), shell("echo up; read line"), {
      stdio: [input.read, written.write, "inherit"],
    });
    await readUntil(written.read, /up/);
    expect(readlinkSync(`/proc/${launched.pid}/ns/net`)).toBe(own("network"));
    const directory = `/proc/${launched.pid}/fd`;
    const open = readdirSync(directory).map((fd) => readlinkSync(join(directory, fd)));
    expect(open.filter((target) => target.includes(":[") && !/^(?:pipe|socket|anon_inode):/.test(target))).toEqual([]);
    for (const fd of [input.read, input.write, written.read, written.write]) closeSync(fd);
    await launched.wait();
  });
});

describe("paths that are no such namespace", () => {
  const failure = async (namespace: Namespace): Promise<unknown> =>
    await output([...base.filter(({ type }) => type !== namespace.type), namespace], "exit 0").catch(
      (error: unknown) => error,
    );
  /** `base` comes first. */
  const name = (type: NamespaceType, path: string) =>
    `linux.namespaces[${base.filter((each) => each.type !== type).length}].path ${path}`;

  test("of another kind", async () => {
    expect(await failure({ type: "network", path: "/proc/self/ns/ipc" })).toMatchObject({
      code: "LAUNCH_FAILED",
      step: `join ${name("network", "/proc/self/ns/ipc")} as network namespace`,
    });
    expect(await failure({ type: "user", path: "/proc/self/ns/ipc" })).toMatchObject({
      step: `join ${name("user", "/proc/self/ns/ipc")} as user namespace`,
    });
  });

  test("not there, a file, a FIFO", async () => {
    const directory = mkdtempSync(join(tmpdir(), "devbox-namespaces-"));
    const [file, fifo] = [join(directory, "file"), join(directory, "fifo")];
    writeFileSync(file, "");
    await Bun.$`mkfifo ${fifo}`;
    expect(await failure({ type: "uts", path: join(directory, "nothing") })).toMatchObject({
      step: `open ${name("uts", join(directory, "nothing"))}`,
      because: expect.stringContaining("ENOENT"),
    });
    for (const path of [file, fifo])
      expect(await failure({ type: "uts", path })).toMatchObject({
        step: `join ${name("uts", path)} as uts namespace`,
      });
    rmSync(directory, { recursive: true });
  });
});

describe("who looks after the process", () => {
  test.each([[base], [[...base, { type: "time" as const }]]])(
    "nobody of ours, when it is orphaned: %j",
    async (namespaces) => {
      const [input, written] = [pipe(), pipe()];
      const { launched, pid } = await begin(namespaces, shell("echo up; read line; echo $line"), {
        supervision: { kind: "orphaned" },
        stdio: [input.read, written.write, "inherit"],
      });
      for (const fd of [input.read, written.write]) closeSync(fd);
      expect(await launched.wait()).toBe(0);
      await readUntil(written.read, /up/);
      writeFileSync(`/proc/self/fd/${input.write}`, "alive\n");
      await readUntil(written.read, /alive/);
      closeSync(input.write);
      closeSync(written.read);
      await gone([pid]);
    },
  );

  test("a process that was begun through another one ends with its supervisor", async () => {
    const [input, written] = [pipe(), pipe()];
    await using neighbour = await openNeighbour([...along, "uts"]);
    const namespaces: Namespace[] = [...along, "uts" as const].map((type) => ({ type, path: neighbour.path(type) }));
    const { launched, pid } = await begin([...namespaces, { type: "mount" }], shell("echo up; read line"), {
      stdio: [input.read, written.write, "inherit"],
    });
    for (const fd of [input.read, written.write]) closeSync(fd);
    await readUntil(written.read, /up/);
    process.kill(launched.pid, "SIGKILL");
    await gone([pid]);
    for (const fd of [input.write, written.read]) closeSync(fd);
    await launched.wait();
  });

  test("what only it may hold ends with its command's execution, while the supervisor lives", async () => {
    const [input, only] = [pipe(), pipe()];
    const { launched } = await begin(base, shell("read line"), {
      fds: { only: only.write },
      initOnly: ["only"],
      stdio: [input.read, "ignore", "inherit"],
    });
    for (const fd of [input.read, only.write]) closeSync(fd);
    expect(await Bun.file(only.read).text()).toBe("");
    closeSync(only.read);
    closeSync(input.write);
    await launched.wait();
  });
});

describe("network devices", () => {
  test.if(isRoot)("are moved, named anew, brought up, and keep their addresses", async () => {
    const [inner, outer] = [`dvbi${process.pid}`, `dvbo${process.pid}`];
    await Bun.$`ip link add ${inner} type veth peer name ${outer}`;
    for (const end of [inner, outer]) await Bun.$`ip link set ${end} up`;
    // What the kernel has made itself, it makes again.
    const linkLocal = /inet6 (fe80:[^/]*)/.exec(await Bun.$`ip -6 addr show dev ${inner}`.text())?.[1] ?? "fe80::1";
    try {
      const seen = await output(
        [{ type: "mount" }, { type: "network" }],
        "ip -o addr show dev eth7; ip -o link show dev eth7",
        {
          netDevices: { [inner]: { name: "eth7" } },
          netAddresses: {
            [inner]: [
              { address: "192.0.2.7", prefixLength: 24 },
              { address: "2001:db8::7", prefixLength: 64 },
              { address: linkLocal, prefixLength: 64 },
            ],
          },
        },
      );
      expect(seen).toContain("192.0.2.7/24");
      expect(seen).toContain("2001:db8::7/64");
      expect(seen).toContain(",UP");
    } finally {
      await Bun.$`ip link del ${outer}`.nothrow().quiet();
    }
  });

  test.if(isRoot)("one that is not there is named", async () => {
    const namespaces: Namespace[] = [{ type: "mount" }, { type: "network" }];
    const error = await output(namespaces, "exit 0", { netDevices: { nosuch0: {} } }).catch((each: unknown) => each);
    expect(error).toMatchObject({ code: "LAUNCH_FAILED", step: "find the network device nosuch0" });
  });

  test.if(isRoot)("a name that is taken is the kernel's own refusal", async () => {
    const [inner, outer] = [`dvbi${process.pid}`, `dvbo${process.pid}`];
    await Bun.$`ip link add ${inner} type veth peer name ${outer}`;
    try {
      const error = await output([{ type: "mount" }, { type: "network" }], "exit 0", {
        netDevices: { [inner]: { name: "lo" } },
      }).catch((each: unknown) => each);
      expect(error).toMatchObject({ step: `move the network device ${inner} into the box as lo` });
      expect(String(error)).toContain("EEXIST");
    } finally {
      await Bun.$`ip link del ${outer}`.nothrow().quiet();
    }
  });
});
