/** scripts/demo: from a registry to a running box, as an ordinary user, with nothing but what this machine has. */
import { copyFileSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { $ } from "bun";
import { debianRelease, debianTree } from "../test/helpers/images/debian.ts";
import { writeLayout } from "../test/helpers/images/layout.ts";
import { pack } from "../test/helpers/images/trees.ts";
import {
  asRoot,
  caller,
  freshEnvironment,
  mountExt4,
  openTun,
  ordinaryUser,
  temporaryDirectory,
  workDirectory,
} from "../test/helpers/machine.ts";
import { startRegistry } from "../test/helpers/registry.ts";

const project = resolve(import.meta.dir, "..");

const say = (text: string): void => console.log(`\n== ${text}`);

/** Debian as an OCI layout in `directory`: debootstrap and packing with true owners need root, so this file is run again by it. */
async function makeImage(directory: string): Promise<void> {
  const tree = join(directory, "tree");
  mkdirSync(tree);
  await debianTree(tree, await debianRelease());
  await pack(tree, join(directory, "debian.tar"));
  const config = { Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], Cmd: ["bash"] };
  await writeLayout(join(directory, "layout"), {
    layers: [join(directory, "debian.tar")],
    compression: "gzip",
    config,
  });
}

async function demo(): Promise<number> {
  await using base = temporaryDirectory("devbox-demo");
  const disk = await mountExt4(base, "d", "8G", caller());
  const directory = disk === undefined ? base : workDirectory(disk);
  const user = await ordinaryUser("devbox-demo");
  await openTun();

  say("make a Debian image with debootstrap, push it to docker-registry on a free port");
  const work = join(directory.path, "image");
  mkdirSync(work);
  await $`${[...asRoot, process.execPath, import.meta.path, work]}`;
  await using registry = await startRegistry({ directory: join(directory.path, "registry") });
  const image = `${registry.address}/debian`;
  await $`skopeo copy --quiet --insecure-policy --dest-tls-verify=false oci:${work}/layout:latest docker://${image}:latest`;

  const program = join(directory.path, "devbox");
  copyFileSync(join(project, "dist/devbox"), program);
  const env = await freshEnvironment(directory, user);
  const cwd = await directory.own("work", user);
  const show = async (...args: string[]): Promise<number> => {
    const words = args.map((word) => (/[\s;&|$']/.test(word) ? JSON.stringify(word) : word));
    say(`${user.name} (uid ${user.uid}) $ devbox ${words.join(" ")}`);
    const stdio: ["ignore", "inherit", "inherit"] = ["ignore", "inherit", "inherit"];
    return Bun.spawn([...user.prefix, program, ...args], { env, cwd, stdio }).exited;
  };
  const statuses = [
    await show("run", image, "--", "head", "-4", "/etc/os-release"),
    await show("run", image, "--", "sh", "-c", "id; cat /proc/self/uid_map; touch /etc/shadow && ls -ln /etc/shadow"),
    // apt resolves a name, fetches over slirp4netns, drops to another user of the box, and checks signatures.
    await show("run", image, "--", "apt-get", "update"),
    await show("images"),
  ];
  return statuses.every((status) => status === 0) ? 0 : 1;
}

const [directory] = Bun.argv.slice(2);
if (directory === undefined) process.exitCode = await demo();
else await makeImage(directory);
