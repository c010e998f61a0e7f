/**
 * Images both ways, while somebody kills, fills the disk, or does something else at the same time: no half file under the name
 * that was asked for, no half tag, the store whole, and the same command again succeeds.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { type Home, inUserNamespace, openHome, type Result } from "../helpers/devbox.ts";
import { imageName, smallFileSystem } from "../helpers/given.ts";
import { killAfter, measure } from "../helpers/killed.ts";
import { descendants, gone } from "../helpers/processes.ts";
import { randomNumbers } from "../helpers/random.ts";
import { type RunningRegistry, startRegistry } from "../helpers/registry.ts";

const random = randomNumbers();
const [busybox, forty] = [imageName("busybox"), imageName("forty-layers")];
let home: Home;
let registry: RunningRegistry;
beforeAll(async () => {
  home = openHome();
  registry = await startRegistry({ directory: at("registry") });
  await home.ok(["pull", "-q", busybox, forty]);
  const change = "mkdir /d; for i in $(seq 300); do echo $i > /d/$i; done; head -c 8000000 /dev/urandom > /big; ";
  await home.ok(["run", "--network=none", "--name", "rests", busybox, "sh", "-c", change]);
  await startBox("runs", `${change} touch /ready; sleep 1000`);
  await home.ok(["export", "-o", at("tree.tar"), "rests"]);
  await home.ok(["save", "-q", "-o", at("in.tar"), busybox, forty]);
  for (const name of ["one", "two", "three"]) writeFileSync(at(name), Buffer.alloc(4_000_000, name));
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

const at = (name: string): string => join(home.directory, name);
const skopeo = (...words: readonly string[]) => $`skopeo --insecure-policy ${words}`.env(home.env).quiet();

/** Returns when its script has made /ready. */
async function startBox(name: string, script: string): Promise<void> {
  await home.ok(["run", "-d", "--network=none", "--name", name, busybox, "sh", "-c", script]);
  await home.ok(["exec", name, "sh", "-c", "until [ -e /ready ]; do sleep 0.01; done"]);
}

const recordOf = (name: string): string =>
  join(home.store, "boxes", readlinkSync(join(home.store, "boxes/.names", name)), "state.json");

/** What has frozen it was killed, so somebody else resumes it, soon. */
async function goesOn(name: string): Promise<void> {
  while (!readFileSync(recordOf(name), "utf8").includes('"running"')) await Bun.sleep(1);
  await home.ok(["exec", name, "true"]);
}

/** Nothing in the store is damaged, and prune leaves nothing of what was under way, but for small files of the last hour. */
async function requireWhole(where = home.store, env: Record<string, string> = {}): Promise<void> {
  await home.ok(["image", "verify"], { env });
  await home.ok(["prune"], { env });
  const left = ["ingest", "layers", "locks"].flatMap((name) => readdirSync(join(where, "store", name)));
  expect(left.filter((name) => /^\.(?!tmp-)|^(?:blob|layer|lease)-|^sha\d+-/.test(name))).toEqual([]);
}

/** Each in words: exit status, and what was said but for waiting and progress. */
const said = ({ exitCode, stderr }: Result): string => {
  const lines = stderr.split("\n").filter((line) => !/^waiting for another devbox|^[0-9a-f]{12}: /.test(line));
  return `${exitCode} ${lines.filter((line) => line !== "").join("|")}`;
};

interface Killed {
  /** Before each run of it. */
  readonly prepare?: () => Promise<unknown>;
  readonly command: () => readonly string[];
  /** After each kill: nothing half is there. */
  readonly check?: () => Promise<unknown>;
}

const archive = (name: string, kind: string): Pick<Killed, "check"> => ({
  async check() {
    if (existsSync(at(name))) await skopeo("inspect", "--raw", `${kind}:${at(name)}`);
  },
});

const killed: Readonly<Record<string, Killed>> = {
  "commit of a box that runs": {
    command: () => ["commit", "-q", "runs", "made:1"],
    check: () => goesOn("runs"),
  },
  "commit of one that rests": { command: () => ["commit", "-q", "--compression", "zstd", "rests", "made:2"] },
  import: { command: () => ["import", "-q", at("tree.tar"), "made:3"] },
  save: { command: () => ["save", "-q", "-o", at("out.tar"), busybox, forty] },
  "save of layouts": {
    command: () => ["save", "-q", "--format", "oci-archive", "-o", at("oci.tar"), forty],
    ...archive("oci.tar", "oci-archive"),
  },
  load: {
    async prepare() {
      await home.run(["rmi", "-f", forty]);
      await home.ok(["prune"]);
    },
    command: () => ["load", "-q", "-i", at("in.tar")],
  },
  "copy to docker-archive:": {
    command: () => ["copy", "-q", forty, `docker-archive:${at("docker.tar")}:name:1`],
    ...archive("docker.tar", "docker-archive"),
  },
  "copy to a new dir:": {
    prepare: async () => rmSync(at("dir"), { recursive: true, force: true }),
    command: () => ["copy", "-q", forty, `dir:${at("dir")}`],
  },
  "copy to a new oci:": {
    prepare: async () => rmSync(at("layout"), { recursive: true, force: true }),
    command: () => ["copy", "-q", forty, `oci:${at("layout")}:one`],
  },
  "push over a tag": {
    prepare: () => home.ok(["push", "-q", busybox, `${registry.address}/pushed:1`]),
    command: () => ["push", "-q", forty, `${registry.address}/pushed:1`],
    async check() {
      rmSync(at("pushed"), { recursive: true, force: true });
      await skopeo("copy", "--src-tls-verify=false", `docker://${registry.address}/pushed:1`, `dir:${at("pushed")}`);
    },
  },
  "artifact push and pull": {
    prepare: async () => rmSync(at("files"), { recursive: true, force: true }),
    command: () => ["artifact", "pull", "-q", "--force", "-o", at("files"), `${registry.address}/files:1`],
    async check() {
      const names = existsSync(at("files")) ? readdirSync(at("files")).filter((name) => !name.startsWith(".")) : [];
      for (const name of names) expect(readFileSync(at(`files/${name}`)).equals(readFileSync(at(name)))).toBe(true);
    },
  },
  "verify --repair": {
    async prepare() {
      await home.ok(["pull", "-q", forty]);
      const { manifests } = JSON.parse(readFileSync(join(home.store, "store/images/index.json"), "utf8"));
      const digest = manifests.find((each: { annotations: object }) =>
        Object.values(each.annotations).includes(forty),
      ).digest;
      writeFileSync(join(home.store, "store/images/blobs", digest.replace(":", "/")), "damaged");
    },
    command: () => ["image", "verify", "--repair", forty],
  },
  export: { command: () => ["export", "-o", at("exported.tar"), "rests"] },
};

/** `kill -9` as soon as something is seen that is there for a while only. */
async function killWhen(command: readonly string[], seen: () => boolean): Promise<void> {
  await using running = home.start(command, { stdin: "" });
  let ended = false;
  running.result.then(() => {
    ended = true;
  });
  while (!ended && !seen()) await Bun.sleep(0);
  expect(ended).toBe(false);
  const all = descendants(running.pid).map(({ pid }) => pid);
  running.kill("SIGKILL");
  await running.result;
  await gone(all);
}

describe(`killed (DEVBOX_TEST_SEED=${random.seed})`, () => {
  beforeAll(() => home.ok(["artifact", "push", "-q", `${registry.address}/files:1`, "one", "two", "three"]));

  test.each(Object.entries(killed))("%s", async (_, { prepare, command, check }) => {
    await prepare?.();
    const wholeMs = await measure(() => home.ok(command()));
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      await prepare?.();
      await killAfter(home, command(), random.next() * wholeMs, signal);
      await check?.();
    }
    await home.ok(command());
    await check?.();
  });

  test("a commit while the box is frozen, and the box goes on", async () => {
    const record = recordOf("runs");
    await killWhen(["commit", "-q", "runs", "made:4"], () => readFileSync(record, "utf8").includes('"paused"'));
    await goesOn("runs");
    expect(await home.ok(["commit", "-q", "runs", "made:4"])).toStartWith("sha256:");
  });

  test.each(["dir", "oci"])("a copy with half of it in %s:, and it is begun again", async (kind) => {
    const directory = at(`half-${kind}`);
    const command = ["copy", "-q", forty, `${kind}:${directory}`];
    const blobs = kind === "oci" ? join(directory, "blobs/sha256") : directory;
    await killWhen(command, () => existsSync(blobs) && readdirSync(blobs).length > 2);
    await home.ok(command);
    await home.ok(["copy", "-q", `${kind}:${directory}`, `oci:${at("read")}:half`]);
  });

  test("and all is whole, nothing is left", async () => {
    const files = ["out.tar", "exported.tar", "oci.tar", "docker.tar"];
    for (const name of files) await $`tar -tf ${at(name)}`.quiet();
    expect(readdirSync(home.directory).filter((name) => name.includes(".tmp-"))).toEqual([]);
    await requireWhole();
  });
});

describe("at once", () => {
  test("two commits of one box that runs, and it runs on", async () => {
    const commits = [1, 2].map((number) => home.run(["commit", "-q", "runs", `twice:${number}`]));
    expect((await Promise.all(commits)).map(said)).toEqual(["0 ", "0 "]);
    expect(await home.ok(["ps", "--filter", "name=runs", "--format", "{{.State}}"])).toBe("running\n");
  });

  test("a box that is removed under its commit is an error, or was read before", async () => {
    await startBox("gone", "for i in $(seq 300); do echo $i > /$i; done; touch /ready; sleep 1000");
    const [commit, remove] = await Promise.all([
      home.run(["commit", "-q", "gone", "gone:1"]),
      Bun.sleep(random.next() * 100).then(() => home.run(["rm", "-f", "gone"])),
    ]);
    expect(said(remove)).toBe("0 ");
    if (commit.exitCode === 0) expect(await home.ok(["run", "--network=none", "gone:1", "cat", "/300"])).toBe("300\n");
    else expect(said(commit)).toMatch(/^1 error: (?:commit|freeze|find|pause) the box gone\| {2}because: /);
  });

  test("save, rmi, prune and two loads", async () => {
    const results = await Promise.all([
      home.run(["save", "-q", "-o", at("under.tar"), forty]),
      home.run(["load", "-q", "-i", at("in.tar")]),
      home.run(["load", "-q", "-i", at("in.tar")]),
      home.run(["import", "-q", at("tree.tar"), "beside:1"]),
      home.run(["rmi", "-f", "made:3"]),
      home.run(["prune"]),
    ]);
    expect(results.map(said)).toEqual(results.map(() => "0 "));
    await skopeo("inspect", "--raw", `docker-archive:${at("under.tar")}`);
  });

  test("what is being saved stays until it is saved", async () => {
    await home.ok(["tag", forty, "other:1"]);
    // The first image alone is more than a pipe holds; its reader waits until the second is gone.
    await $`mkfifo ${at("begin")}`;
    const script = `"$@" | { head -c 1; read -r line <${at("begin")}; cat >${at("read.tar")}; }`;
    await using save = home.start(["save", "-q", busybox, forty], { stdin: "", prefix: ["sh", "-c", script, "sh"] });
    await save.output(/./);
    await home.ok(["rmi", "-f", forty, "other:1"]);
    await home.ok(["prune"]);
    await Bun.write(at("begin"), "\n");
    expect(said(await save.result)).toBe("0 ");
    await home.ok(["load", "-q", "-i", at("in.tar")]);
  });

  test("two copies into one dir:, one tag, one file: one of them is there, whole", async () => {
    for (const [to, read] of [
      [`dir:${at("shared")}`, `dir:${at("shared")}`],
      [`docker://${registry.address}/shared:1`, `docker://${registry.address}/shared:1`],
      [`oci-archive:${at("shared.tar")}`, `oci-archive:${at("shared.tar")}`],
    ] as const) {
      const results = await Promise.all([busybox, forty].map((image) => home.run(["copy", "-q", image, to])));
      expect(results.map(said)).toEqual(["0 ", "0 "]);
      await home.ok(["copy", "-q", read, `oci:${at("read")}:one`]);
    }
  });

  test("and all is whole, nothing is left", () => requireWhole());
});

const small = smallFileSystem();
test.skipIf(small === undefined)(
  "a full disk is said, and nothing half is left of commit, import, load and save",
  async () => {
    const root = join(small ?? "", "image-faults");
    const env = { DEVBOX_STORE: root };
    try {
      await home.ok(["pull", "-q", busybox], { env });
      await home.ok(
        ["run", "--network=none", "--name", "big", busybox, "sh", "-c", "head -c 35000000 /dev/urandom > /big"],
        { env },
      );
      await using other = openHome();
      const [wide, kept] = [join(other.directory, "wide.tar"), join(small ?? "", "kept.tar")];
      await other.ok(["pull", "-q", imageName("debian")]);
      await other.ok(["save", "-q", "-o", wide, imageName("debian")]);
      writeFileSync(kept, "before");
      for (const command of [
        ["commit", "-q", "big", "big:1"],
        ["import", "-q", wide, "big:2"],
        ["load", "-q", "-i", wide],
      ]) {
        const { exitCode, stderr } = await home.run(command, { env });
        expect([command[0], exitCode]).toEqual([command[0], 125]);
        expect(stderr).toMatch(/no space left on device \(ENOSPC\)\nhint: .*prune/);
        await home.ok(["prune"], { env });
      }
      const save = await other.run(["save", "-q", "-o", kept, imageName("debian")]);
      expect(save.stderr).toMatch(/no space left on device \(ENOSPC\)\nhint: free space there/);
      expect(readFileSync(kept, "utf8")).toBe("before");
      await home.ok(["rm", "big"], { env });
      await requireWhole(root, env);
    } finally {
      await home.run(["prune", "--all"], { env });
      rmSync(join(small ?? "", "kept.tar"), { force: true });
      await $`${[...inUserNamespace(), "/bin/rm", "-rf", root]}`.quiet();
    }
  },
);
