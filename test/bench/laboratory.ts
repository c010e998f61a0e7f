/** Where the benches run: an ext4 with a journal in a file, an ordinary user at home in it, the peers' storage beside devbox's. */
import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { $ } from "bun";
import { imageCache } from "../helpers/images/cache.ts";
import { mountExt4, openTun, ordinaryUser, type Person, temporaryDirectory } from "../helpers/machine.ts";
import { endPodmanPause } from "../helpers/podman-pause.ts";
import { startRegistry } from "../helpers/registry.ts";

export interface Laboratory extends AsyncDisposable {
  readonly user: Person;
  readonly env: Readonly<Record<string, string>>;
  /** The user's directory on the fresh file system. */
  readonly home: string;
  readonly layouts: string;
  readonly devbox: string;
  /** `podman` with the storage and the drivers that it would choose itself on this file system. */
  readonly podman: string;
  /** An empty program compiled by Bun: the floor of any start. */
  readonly emptyProgram: string;
  image(name: string): string;
}

const project = resolve(import.meta.dir, "../..");

export async function openLaboratory(): Promise<Laboratory> {
  const stack = new AsyncDisposableStack();
  const directory = stack.use(temporaryDirectory("devbox-bench"));
  const ordinary = await ordinaryUser();
  const user = { ...ordinary, prefix: [...withoutHybridCgroups(), ...ordinary.prefix] };
  await openTun();
  const home = await mountExt4(directory, "home", "12G", user);
  if (home === undefined) throw new Error("the benches need a loop device for a file system of their own");
  const cache = await imageCache();
  const registry = stack.use(
    await startRegistry({
      directory: join(directory.path, "registry"),
      storage: join(cache, "registry"),
      readonly: true,
    }),
  );
  const devbox = join(directory.path, "devbox");
  copyFileSync(join(project, "dist/devbox"), devbox);
  const runtime = await directory.own("run", user);
  stack.defer(() => endPodmanPause(runtime));
  return {
    user,
    home,
    devbox,
    layouts: join(cache, "layouts"),
    emptyProgram: await compileEmptyProgram(directory.path),
    podman: `podman --root ${home}/podman --runroot ${home}/podman-run --storage-driver overlay --cgroup-manager cgroupfs`,
    image: (name) => `${registry.address}/${name}:latest`,
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: home,
      XDG_RUNTIME_DIR: runtime,
      USER: user.name,
      LANG: "C.UTF-8",
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function compileEmptyProgram(directory: string): Promise<string> {
  const source = join(directory, "empty.ts");
  const program = join(directory, "empty");
  writeFileSync(source, 'console.log("devbox");\n');
  await $`${process.execPath} build --compile --minify --bytecode --format=esm --outfile=${program} ${source}`.quiet();
  return program;
}

/** crun refuses hosts that have both versions of cgroups mounted: there, root hides the second one from all contenders. */
function withoutHybridCgroups(): readonly string[] {
  const hybrid = "/sys/fs/cgroup/unified";
  if (process.getuid?.() !== 0 || !existsSync(hybrid)) return [];
  return ["unshare", "--mount", "sh", "-c", `umount ${hybrid}; exec "$@"`, "sh"];
}
