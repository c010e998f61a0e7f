/** What the table of properties runs in: one root file system, a neighbour to join, and a box for each row. */
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { defaultIdMap } from "../../../src/host/id-map.ts";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { namespaceTypes } from "../../../src/oci/runtime-words.ts";
import { collect, type Result } from "../devbox.ts";
import { type Config, type OciRuntime, openOciRuntime } from "../oci-runtime.ts";
import { listenUnix, type UnixListener } from "../unix-listener.ts";
import { isRoot, type Place, type Row } from "./row.ts";

export interface Laboratory extends AsyncDisposable {
  /** Runs the row's box to its end: what was seen, and how it went. */
  observe(row: Row): Promise<Observation>;
}

export interface Observation extends Result {
  readonly place: Place;
  /** stdout, and behind it what was left outside. */
  readonly seen: string;
}

const applets = "true env hostname printf xargs tail rmdir rm mknod dd xxd ionice uname ip which sort";

export async function openLaboratory(): Promise<Laboratory> {
  await using stack = new AsyncDisposableStack();
  const oci = stack.use(await openOciRuntime());
  let base: Config = {};
  const first = await oci.bundle(["sleep", "1000"], (config) => {
    base = structuredClone(config);
  });
  const source = join(oci.home.directory, "source");
  furnish(join(first, "rootfs"), source);
  base.root.path = join(first, "rootfs");
  if (!base.linux.namespaces.some(({ type }: Config) => type === "cgroup"))
    base.linux.namespaces.push({ type: "cgroup" });
  if (!isRoot) mapAllIds(base);
  base.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=1777"] });
  const id = oci.id();
  await oci.ok(["create", "--bundle", await peerBundle(oci), id]);
  const { pid: peer } = await oci.state(id);
  const device = ["ip", "link", "add", "table0", "type", "veth", "peer", "name", "table1"];
  await $`nsenter --target=${peer} --user --net --preserve-credentials ${device}`.quiet();
  const viewer = await startViewer(peer);
  stack.defer(() => viewer.kill("SIGKILL"));
  const parts = { oci, base, source, peer, viewer: viewer.pid };
  const held = stack.move();
  return {
    observe: (row) => observe(parts, row),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** A container that is in a new namespace of each kind. */
function peerBundle(oci: OciRuntime): Promise<string> {
  return oci.bundle(["sleep", "1000"], (config) => {
    const had = config.linux.namespaces.map(({ type }: Config) => type);
    for (const type of namespaceTypes) if (!had.includes(type)) config.linux.namespaces.push({ type });
    if (!isRoot) return mapAllIds(config);
    config.linux.uidMappings = [{ containerID: 0, hostID: 0, size: 65_536 }];
    config.linux.gidMappings = config.linux.uidMappings;
  });
}

/** A process in the user namespace of another, and in a mount namespace of its own that shows what the host's does. */
async function startViewer(pid: number): Promise<Bun.Subprocess> {
  const command = ["nsenter", `--user=/proc/${pid}/ns/user`, "--preserve-credentials", "unshare", "--mount"];
  const child = Bun.spawn([...command, "sh", "-c", "echo up; exec sleep 1000"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  await collect(child.stdout).until(/up/);
  return child;
}

/** An ordinary user's own id, and all that it may map besides (subuid(5)). */
function mapAllIds(config: Config): void {
  const { uid, gid } = defaultIdMap(readHostFacts(process.env));
  config.linux.uidMappings = uid;
  config.linux.gidMappings = gid;
}

function furnish(root: string, source: string): void {
  for (const name of applets.split(" ")) {
    if (!existsSync(join(root, "bin", name))) symlinkSync("busybox", join(root, "bin", name));
  }
  writeFileSync(join(root, "marker"), "the root of the table\n");
  mkdirSync(join(root, "filled"));
  writeFileSync(join(root, "filled/file"), "what was there\n");
  // Whom only a capability lets execute it: it is root's.
  mkdirSync(join(root, "closed"));
  copyFileSync("/bin/busybox", join(root, "closed/busybox"));
  chmodSync(join(root, "closed/busybox"), 0o700);
  mkdirSync(join(source, "sub"), { recursive: true });
  writeFileSync(join(source, "file"), "of the host\n", { mode: 0o644 });
}

interface Parts {
  readonly oci: OciRuntime;
  readonly base: Config;
  readonly source: string;
  readonly peer: number;
  readonly viewer: number;
}

async function observe({ oci, base, source, peer, viewer }: Parts, row: Row): Promise<Observation> {
  const id = oci.id();
  const directory = join(oci.home.directory, `row-${randomUUID().slice(0, 8)}`);
  const outside = join(directory, "outside");
  mkdirSync(outside, { recursive: true, mode: 0o777 });
  chmodSync(outside, 0o777);
  const place = { directory, source, outside, peer, viewer, id };
  const config = structuredClone(base);
  const command = row.script === undefined ? ["echo", "it came up"] : ["sh", "-c", row.script];
  config.process.args = row.exec ? ["sleep", "1000"] : command;
  row.change?.(config, place);
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  using agent =
    config.linux?.seccomp?.listenerPath === undefined ? undefined : listenUnix(config.linux.seccomp.listenerPath);
  const prefix = row.besidePeer
    ? [
        "nsenter",
        `--net=/proc/${peer}/ns/net`,
        ...(isRoot ? [] : [`--user=/proc/${peer}/ns/user`, "--preserve-credentials"]),
        "--",
      ]
    : [];
  const started = oci.run(
    row.exec ? ["run", "--detach", "--bundle", directory, id] : ["run", "--bundle", directory, id],
    { prefix },
  );
  if (agent !== undefined) answer(agent);
  const result = row.exec ? await executed() : await started;
  const left = ["hook", "state"].map((name) => join(outside, name)).filter(existsSync);
  const seen = [result.stdout.trim(), ...left.map((file) => readFileSync(file, "utf8").trim())].join("\n").trim();
  rmSync(directory, { recursive: true, force: true });
  return { ...result, place, seen };

  async function executed(): Promise<Result> {
    await started;
    const seen = await oci.run(["exec", id, ...command]);
    await oci.run(["delete", "--force", id]);
    return seen;
  }

  /** Takes the listener of the filter, tells of it, and lets it go. */
  function answer(socket: UnixListener): void {
    const { bytes, fds } = socket.receive();
    const { fds: names, metadata, state } = JSON.parse(new TextDecoder().decode(bytes));
    writeFileSync(join(outside, "state"), `${names.join()} of ${state.id}: ${metadata}`);
    for (const fd of fds) closeSync(fd);
  }
}
