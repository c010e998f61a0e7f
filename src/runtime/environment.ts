/**
 * What runtimes add to the environment of a command, and engines count on (runc, crun): HOME, where it has none. A variable that
 * stands there more than once has its last value.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import {
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOCTTY,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  RESOLVE_IN_ROOT,
} from "../../ffi/constants.ts";
import { openat2 } from "../../ffi/libc.ts";
import type { RuntimeMount, RuntimeProcess } from "../oci/runtime.ts";

/** @param passwd reads the container's /etc/passwd; "" where it has none */
export function withEnvironment<Process extends RuntimeProcess>(process: Process, passwd: () => string): Process {
  const variables = new Map<string, string>();
  for (const entry of process.env) {
    const equals = entry.indexOf("=");
    const name = equals < 0 ? entry : entry.slice(0, equals);
    // Where it stands last counts, as if the earlier ones had never been there.
    variables.delete(name);
    variables.set(name, entry);
  }
  if ((variables.get("HOME") ?? "HOME=") === "HOME=")
    variables.set("HOME", `HOME=${homeOf(process.user.uid, passwd())}`);
  return { ...process, env: [...variables.values()] };
}

/** passwd(5): the first entry of that number; the root directory for somebody unknown. */
function homeOf(uid: number, passwd: string): string {
  for (const line of passwd.split("\n")) {
    const [, , id, , , home = ""] = line.split(":");
    if (id === String(uid)) return home.startsWith("/") ? home : "/";
  }
  return "/";
}

/** Of a container that is not there yet: a mount brings it, or its root file system. */
export function passwdOfBundle(rootfs: string, mounts: readonly RuntimeMount[]): string {
  const mounted = mounts.findLast(({ destination }) => destination === "/etc/passwd")?.source;
  return mounted === undefined ? readInRoot(rootfs, "etc/passwd") : readInRoot("/", mounted);
}

/** Of a running container, whose files may be anything. */
export function passwdOfProcess(pid: number): string {
  return readInRoot(`/proc/${pid}/root`, "etc/passwd");
}

/** More than this belongs to nobody who is to be found here. */
const maxBytes = 1 << 20;

/** "" where it cannot be read. Symbolic links lead nowhere outside, and nothing but a file is read. */
function readInRoot(root: string, path: string): string {
  let directory: number | undefined;
  let file: number | undefined;
  try {
    directory = openSync(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    file = openat2(directory, path, { flags, mode: 0, resolve: RESOLVE_IN_ROOT });
    if (!fstatSync(file).isFile()) return "";
    const bytes = new Uint8Array(maxBytes);
    return new TextDecoder().decode(bytes.subarray(0, readSync(file, bytes)));
  } catch {
    return "";
  } finally {
    if (file !== undefined) closeSync(file);
    if (directory !== undefined) closeSync(directory);
  }
}
