/** What must come before what; the calls themselves are proven on the kernel (test/kernel/sandbox/box). */
import { describe, expect, test } from "bun:test";
import type { LinuxConfig, RuntimeConfig, RuntimeProcess, Seccomp } from "../../../src/oci/runtime.ts";
import type { SandboxInput } from "../../../src/sandbox/input.ts";
import { planBox } from "../../../src/sandbox/plan-create.ts";
import { failureOf } from "../../helpers/failure.ts";
import { plainConfig, planLines, sandboxInput } from "../../helpers/sandbox-plan.ts";

const withProcess = (process: Partial<RuntimeProcess>, linux: Partial<LinuxConfig> = {}): RuntimeConfig => ({
  ...plainConfig,
  process: { ...plainConfig.process, ...process },
  linux: { ...plainConfig.linux, ...linux },
});

/** Where a step stands; each must be there exactly once. */
function place(lines: readonly string[], pattern: RegExp): number {
  const found = lines.flatMap((line, i) => (pattern.test(line) ? [i] : []));
  if (found.length !== 1) throw new Error(`${pattern} is there ${found.length} times`);
  return found[0] ?? -1;
}

function expectOrder(changes: Partial<SandboxInput>, ...steps: readonly RegExp[]): void {
  const lines = planLines(changes);
  const places = steps.map((step) => place(lines, step));
  expect(places).toEqual(places.toSorted((a, b) => a - b));
}

const filter: Seccomp = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["keyctl"], action: "SCMP_ACT_ERRNO" }],
};
const steps = {
  session: /: setsid\(/,
  keyring: /: keyctl\(/,
  overlay: /^mount overlay /,
  proc: /^mount proc on \/proc: move_mount/,
  data: /^bind .* on \/data: move_mount/,
  devices: /^bind \/dev\/null: move_mount/,
  sysctl: /^set the sysctl net.ipv4.ip_default_ttl to 33/,
  readonly: /^make \/proc\/sys read-only: move_mount/,
  mask: /^mask \/proc\/keys: .*"\/dev\/null"/,
  hostname: /: sethostname\(/,
  pivot: /: pivot_root\(/,
  detach: /: umount2\(/,
  cwd: /^enter \/work: fchdir/,
  closeAtExec: /^close all descriptors at exec/,
  go: /^wait for the start/,
  filter: /^install the seccomp filter/,
  bounding: /^drop CAP_SYS_ADMIN from the bounding set/,
  groups: /: setgroups\(2,/,
  gid: /: setresgid\(1000, 1000, 1000\)/,
  uid: /: setresuid\(1000, 1000, 1000\)/,
  capabilities: /^set the capabilities: capset\(/,
  pdeathsig: /^die with the supervisor/,
  noNewPrivs: /^set no_new_privs/,
  execute: /^execute \/bin\/sh: execve.*tolerates ENOENT, ENOTDIR, ENODEV, ENAMETOOLONG, EACCES/,
};

describe("the order of the steps", () => {
  test("the root, mounts, devices, settings, read-only and masked paths, and then the root is entered", () => {
    expectOrder(
      {},
      ...[steps.session, steps.keyring, steps.overlay, steps.proc, steps.data, steps.devices],
      ...[steps.sysctl, steps.readonly, steps.mask, steps.hostname, steps.pivot, steps.detach, steps.cwd],
    );
  });

  test("groups before the group, the group before the user, capabilities after the user", () => {
    expectOrder(
      {},
      ...[steps.cwd, steps.closeAtExec, steps.bounding, steps.groups, steps.gid, steps.uid],
      ...[steps.pdeathsig, steps.capabilities, steps.execute],
    );
  });

  test("without no_new_privs the filter needs CAP_SYS_ADMIN: just before the capabilities are given up", () => {
    const config = withProcess({}, { seccomp: filter });
    expectOrder(
      { config },
      steps.closeAtExec,
      steps.bounding,
      steps.uid,
      steps.filter,
      steps.capabilities,
      steps.execute,
    );
  });

  test("with no_new_privs the filter is last", () => {
    const config = withProcess({ noNewPrivileges: true }, { seccomp: filter });
    expectOrder({ config }, steps.capabilities, steps.noNewPrivs, steps.filter, steps.execute);
    const lines = planLines({ config });
    expect(lines[place(lines, steps.filter) + 1]).toMatch(steps.execute);
  });

  test("the start is awaited when all is built, and before the user is changed", () => {
    expectOrder({ gates: { exec: "go" } }, steps.pivot, steps.cwd, steps.go, steps.bounding, steps.execute);
    expect(planLines({}).some((line) => steps.go.test(line))).toBe(false);
  });

  test("hooks of the inside run behind their gates, each in its root", () => {
    const hooks = { createContainer: [{ path: "/bin/c" }], startContainer: [{ path: "/bin/s" }] };
    const config = { ...plainConfig, hooks };
    const state = { ociVersion: "1.2.0", id: "box", status: "creating", bundle: "/b" } as const;
    expectOrder(
      { config, containerState: state, gates: { pivot: "built", exec: "go" } },
      ...[
        steps.mask,
        /^wait for the hooks of the runtime: read\(\{built\}/,
        /^createContainer hook #0 \/bin\/c: execve/,
      ],
      ...[steps.pivot, steps.go, /^startContainer hook #0 \/bin\/s: execve/, steps.bounding],
    );
  });

  test("a command that waits for somebody else's start is looked for, then said to be ready; what fails later is told there", () => {
    expectOrder(
      { gates: { exec: "go" }, executed: "executed" },
      ...[steps.pivot, /^look for the command: clone/, /^the search for the command must have exited with 0/],
      ...[/^report ready/, steps.go, /^report elsewhere: dup3\(\{executed\}, 4/, steps.bounding, steps.execute],
    );
  });

  test("the mounts of the host are made slaves before the first mount", () => {
    expectOrder({}, /^keep our mounts from the host: mount\(.*MS_REC\|MS_SLAVE/, steps.overlay);
  });

  test("the working directory is made before the root is read-only, and never as a path after it", () => {
    const config = { ...plainConfig, root: { path: "rootfs", readonly: true } };
    expectOrder({ config }, /^make the working directory \/work/, /^make the root read-only/, steps.pivot, steps.cwd);
  });

  test("the umask is docker's while the box is built; the process' own is set at its end", () => {
    const config = withProcess({ user: { ...plainConfig.process.user, umask: 0o77 } });
    expectOrder({ config }, /: umask\(022\)/, steps.overlay, steps.uid, /: umask\(077\)/, steps.execute);
  });

  test("init is PID 1 with no more rights than the command", () => {
    const config = withProcess({}, { seccomp: filter });
    expectOrder(
      { config, init: true },
      steps.filter,
      steps.capabilities,
      /^close all descriptors of the host/,
      steps.execute,
    );
  });
});

describe("what is only there when asked for", () => {
  const has = (changes: Partial<SandboxInput>, pattern: RegExp) =>
    planLines(changes).some((line) => pattern.test(line));

  test("a terminal: its socket, its steps", () => {
    const config = withProcess({ terminal: true });
    expect(planBox(sandboxInput()).fds).toEqual([]);
    expect(planBox(sandboxInput({ config })).fds).toEqual(["console"]);
    expect(has({}, /terminal|console|TIOC/)).toBe(false);
    const taken = /TIOCSCTTY/;
    expectOrder(
      { config },
      /TIOCGPTPEER/,
      /: fchown\(\$\d+, 1000, /,
      /: sendmsg\(/,
      /^bind .* \/dev\/console: move_mount/,
      steps.pivot,
      taken,
      steps.uid,
    );
  });

  test("its master blocks where other engines get it", () => {
    const config = withProcess({ terminal: true });
    const open = /^open a terminal: openat2\(.*O_NONBLOCK/;
    expect(has({ config }, open)).toBe(true);
    expect(has({ config, blockingConsole: true }, open)).toBe(false);
  });

  test("the end of the supervisor, unless the process outlives it", () => {
    expect(has({}, steps.pdeathsig)).toBe(true);
    expect(has({ orphaned: true }, steps.pdeathsig)).toBe(false);
  });

  test("the caller's keyring, pivot_root", () => {
    expect(has({ noNewKeyring: true }, steps.keyring)).toBe(false);
    expect(has({ noPivot: true }, steps.pivot)).toBe(false);
    expectOrder({ noPivot: true }, steps.mask, /^move the root onto \/: mount\(.*MS_MOVE/, /: chroot\(/, steps.cwd);
  });

  test("a network that was joined is left as it is", () => {
    const namespaces = plainConfig.linux.namespaces.map((each) =>
      each.type === "network" ? { ...each, path: "/run/netns/blue" } : each,
    );
    expect(has({ config: withProcess({}, { namespaces }) }, /loopback/)).toBe(false);
  });

  test("the loopback interface of a network namespace of its own", () => {
    expect(has({}, /loopback/)).toBe(true);
    const namespaces = plainConfig.linux.namespaces.filter(({ type }) => type !== "network");
    const config = withProcess({}, { namespaces });
    expect(has({ config }, /loopback/)).toBe(false);
  });

  test("pipes are given to the user, unless that is root", () => {
    expect(has({ pipes: [1] }, /: fchown\(1, 1000, -1\)/)).toBe(true);
    const config = withProcess({ user: { uid: 0, gid: 0 } });
    expect(has({ config, pipes: [1] }, /fchown/)).toBe(false);
  });

  test("a limit of open files of our own, unless config.json has one", () => {
    expect(has({}, /^limit open files/)).toBe(true);
    const config = withProcess({ rlimits: [{ type: "RLIMIT_NOFILE", soft: 1, hard: 2 }] });
    expect(has({ config }, /^limit open files/)).toBe(false);
    expect(has({ config }, /^set the limit RLIMIT_NOFILE/)).toBe(true);
  });

  test("devices, unless a directory is bound on /dev", () => {
    expect(has({}, /^bind \/dev\/null/)).toBe(true);
    const mounts = [{ destination: "/dev/", type: "bind", source: "/dev", options: ["rbind"] }];
    expect(has({ config: { ...plainConfig, mounts } }, /^bind \/dev\/null/)).toBe(false);
  });

  test("an OOM score", () => {
    expect(has({}, /oom_score_adj/)).toBe(false);
    expectOrder({ config: withProcess({ oomScoreAdj: 500 }) }, /oom_score_adj to 500: write/, steps.pivot);
  });

  test("the propagation of the root, after pivot_root, which refuses a shared one", () => {
    const config = withProcess({}, { rootfsPropagation: "shared" });
    expectOrder(
      { config },
      steps.pivot,
      /^make the root shared: mount\("none", "\/", 0, MS_SHARED, 0\)/,
      steps.execute,
    );
  });
});

describe("a process without capabilities in config.json", () => {
  test("has none at all", () => {
    const { capabilities: _, ...process } = plainConfig.process;
    const lines = planLines({ config: { ...plainConfig, process } });
    expect(lines.some((line) => line.startsWith("drop CAP_CHOWN from the bounding set"))).toBe(true);
    expect(place(lines, steps.capabilities)).toBeGreaterThan(place(lines, steps.uid));
  });
});

test("with one id of our own, supplementary groups are asked for but may be denied", () => {
  const one = [{ containerID: 0, hostID: 1000, size: 1 }];
  const line = (idMap: SandboxInput["idMap"]) => planLines({ idMap }).find((each) => steps.groups.test(each));
  expect(line({ uid: one, gid: one })).toContain("tolerates EPERM");
  expect(line(sandboxInput().idMap)).not.toContain("tolerates");
});

describe("what cannot be done is refused", () => {
  test("a host name without a uts namespace, which would be the host's", () => {
    const namespaces = plainConfig.linux.namespaces.filter(({ type }) => type !== "uts");
    expect(failureOf(() => planBox(sandboxInput({ config: withProcess({}, { namespaces }) }))).code).toBe("BAD_CONFIG");
  });

  test("a limit or a capability that does not exist", () => {
    const rlimits = [{ type: "RLIMIT_FUN", soft: 1, hard: 1 }];
    expect(failureOf(() => planLines({ config: withProcess({ rlimits }) })).code).toBe("BAD_CONFIG");
  });
});
