/**
 * The machine that tests, demo and benches run on: who is root, who is the ordinary user, and a temporary directory
 * that is gone afterwards with all that was mounted in it.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { $ } from "bun";

/** Somebody to run programs as. */
export interface Person {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Words before a command that make this person run it. */
  readonly prefix: readonly string[];
}

const isRoot = userInfo().uid === 0;

/** Words before a command that needs root. */
export const asRoot: readonly string[] = isRoot ? [] : ["sudo"];

/** Whoever runs us. */
export function caller(): Person {
  const { uid, gid } = userInfo();
  // userInfo() takes the name from USER, which cron and containers leave out.
  const { exitCode, stdout } = Bun.spawnSync(["id", "-un"], { stderr: "ignore" });
  return { name: exitCode === 0 ? stdout.toString().trim() : String(uid), uid, gid, prefix: [] };
}

/** The caller, or for root the user `name`, made when missing and given 65536 subordinate ids (subuid(5)). */
export async function ordinaryUser(name = "devbox-test"): Promise<Person> {
  if (!isRoot) return caller();
  if ((await $`id -u ${name}`.nothrow().quiet()).exitCode !== 0) {
    await $`useradd --no-create-home --home-dir /nonexistent --shell /bin/sh ${name}`.quiet();
  }
  await grantSubids(name, "/etc/subuid", "--add-subuids");
  await grantSubids(name, "/etc/subgid", "--add-subgids");
  const uid = Number(await $`id -u ${name}`.text());
  const gid = Number(await $`id -g ${name}`.text());
  return { name, uid, gid, prefix: ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--init-groups", "--"] };
}

async function grantSubids(name: string, file: string, option: string): Promise<void> {
  const ranges = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
  if (ranges.some((line) => line.startsWith(`${name}:`))) return;
  const end = ranges
    .map((line) => line.split(":"))
    .map(([, start = "0", count = "0"]) => Number(start) + Number(count))
    .reduce((highest, each) => Math.max(highest, each), 100_000);
  await $`usermod ${option} ${end}-${end + 65_535} ${name}`.quiet();
}

/** slirp4netns opens /dev/net/tun as the user: everywhere but in bare machines it is open to all already. */
export async function openTun(): Promise<void> {
  const script =
    "[ -c /dev/net/tun ] || { mkdir -p /dev/net && mknod /dev/net/tun c 10 200; }; " +
    '[ "$(stat -c %a /dev/net/tun)" = 666 ] || chmod 0666 /dev/net/tun';
  await $`${[...asRoot, "sh", "-c", script]}`.quiet();
}

/** A directory that others may pass through. */
export interface WorkDirectory {
  readonly path: string;
  /** A directory in it that belongs to `person`. */
  readonly own: (name: string, person: Person, mode?: number) => Promise<string>;
}

export function workDirectory(path: string): WorkDirectory {
  return {
    path,
    async own(name, person, mode = 0o700) {
      const directory = join(path, name);
      mkdirSync(directory, { mode });
      if (person.uid !== userInfo().uid) {
        await $`${[...asRoot, "chown", `${person.uid}:${person.gid}`, directory]}`.quiet();
      }
      return directory;
    },
  };
}

/** At disposal everything mounted in it is unmounted and all of it removed. */
export interface TemporaryDirectory extends WorkDirectory, AsyncDisposable {}

export function temporaryDirectory(label: string): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), `${label}-`));
  chmodSync(path, 0o755);
  return {
    ...workDirectory(path),
    async [Symbol.asyncDispose]() {
      for (const mount of mountsBelow(path)) await $`${[...asRoot, "umount", "--lazy", mount]}`.nothrow().quiet();
      // By its path: plain `rm` would be the one that is built into Bun's shell.
      const remove = ["/bin/rm", "-rf", "--one-file-system", path];
      // Files of the user's subordinate ids belong to root of a namespace that maps them; what sudo made needs sudo.
      const mapped = isRoot ? [] : ["unshare", "--user", "--map-root-user", "--map-auto", "--"];
      const removed = await $`${[...mapped, ...remove]}`.nothrow().quiet();
      if (removed.exitCode !== 0) await $`${[...asRoot, ...remove]}`.quiet();
    },
  };
}

/**
 * Mounts a fresh ext4 (with a journal, in a sparse file) at `directory/name` and gives its root to `owner`.
 * undefined where loop devices cannot be had: in containers.
 */
export async function mountExt4(
  directory: WorkDirectory,
  name: string,
  size: string,
  owner: Person,
): Promise<string | undefined> {
  const image = join(directory.path, `${name}.ext4`);
  const mount = join(directory.path, name);
  const made =
    await $`${[...asRoot, "sh", "-c", 'truncate --size "$1" "$2" && mke2fs -q -t ext4 "$2" && mkdir "$3" && mount -o loop "$2" "$3"', "sh", size, image, mount]}`
      .nothrow()
      .quiet();
  if (made.exitCode !== 0) {
    console.log(`no ext4 of our own: ${made.stderr.toString().trim()}`);
    return undefined;
  }
  await $`${[...asRoot, "chown", `${owner.uid}:${owner.gid}`, mount]}`.quiet();
  return mount;
}

/** Mount points in and below a directory, the innermost first. */
export function mountsBelow(path: string): readonly string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((mount) => mount === path || mount.startsWith(`${path}/`))
    .reverse();
}

/** An environment with nothing of the caller's in it: what a test sees is what it was given. */
export async function freshEnvironment(directory: WorkDirectory, person: Person): Promise<Record<string, string>> {
  // Short names: paths of sockets (unix(7), 108 bytes) and in headers of tar (100 bytes) are made below them.
  const label = crypto.randomUUID().slice(0, 4);
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: await directory.own(`h${label}`, person),
    XDG_RUNTIME_DIR: await directory.own(`r${label}`, person),
    // Root's tests let the ordinary user do things in theirs.
    TMPDIR: await directory.own(`t${label}`, person, person.uid === 0 ? 0o755 : 0o700),
    USER: person.name,
    LANG: "C.UTF-8",
    TERM: "xterm-256color",
  };
}
