/** Where a container's control group is to be: runtime-spec config-linux.md "Cgroups Path". Pure. */
import { DevboxError } from "../core/errors.ts";
import type { CgroupLayout, OwnCgroups } from "./types.ts";

export interface CgroupPathRequest {
  /** `linux.cgroupsPath` of config.json; with `systemd`: `slice:prefix:name`. */
  readonly cgroupsPath: string | undefined;
  /** Of the container. */
  readonly id: string;
  readonly layout: CgroupLayout;
  readonly own: OwnCgroups;
  /** Whether the caller has no rights over the whole tree; with `systemd` the group is the user manager's then. */
  readonly rootless: boolean;
  readonly uid: number;
  /** `--systemd-cgroup`. */
  readonly systemd: boolean;
}

/**
 * The path below the mount point of each tree, absolute and without `..`.
 *
 * A relative path and none (then it is the id) begin, on version 2, at the parent of our own group: a group with processes
 * cannot hand controllers to groups in it (cgroups(7) "no internal processes"). On version 1 they begin at the root: there our
 * own groups differ from tree to tree.
 */
export function chooseCgroupPath(request: CgroupPathRequest): string {
  const { cgroupsPath, id } = request;
  if (request.systemd) return systemdPath(request);
  const given = cgroupsPath === undefined || cgroupsPath === "" ? id : cgroupsPath;
  const path = normalise(given, given);
  if (path === "/") throw badPath(given, "it names the root of the tree, which is not the container's own");
  return given.startsWith("/") ? path : join(parentOfOwn(request), path);
}

function parentOfOwn({ layout, own }: CgroupPathRequest): string {
  if (layout.version === 1) return "/";
  return dirname(ownPath(layout, own));
}

/** Our own group on version 2 as a path below the mount point. */
export function ownPath(layout: Extract<CgroupLayout, { version: 2 }>, own: OwnCgroups): string {
  const path = own.unified ?? "/";
  const root = layout.root ?? "/";
  if (root !== "/" && (path === root || path.startsWith(`${root}/`))) return path.slice(root.length) || "/";
  // A group outside of our namespace of groups is shown as `/../name` (cgroup_namespaces(7)): it is not reachable from here.
  return path.split("/").includes("..") ? "/" : path;
}

/**
 * What systemd gives a scope: `SLICE:PREFIX:NAME` becomes the slice with all above it, then `PREFIX-NAME.scope`; a NAME that
 * is a slice itself stays one. Without a path: `devbox-ID.scope` in system.slice, or the user's user.slice.
 */
function systemdPath(request: CgroupPathRequest): string {
  const { cgroupsPath, id, rootless } = request;
  const given = cgroupsPath === undefined || cgroupsPath === "" ? `:devbox:${id}` : cgroupsPath;
  const [slice, prefix, name, ...rest] = given.split(":");
  if (slice === undefined || prefix === undefined || name === undefined || name === "" || rest.length > 0) {
    throw badPath(given, "with --systemd-cgroup it must look like SLICE:PREFIX:NAME");
  }
  if (`${prefix}${name}`.includes("/")) throw badPath(given, "PREFIX and NAME must be without a slash");
  const unit = name.endsWith(".slice") ? name : `${prefix}-${name}.scope`;
  const parent = expandSlice(slice === "" ? (rootless ? "user.slice" : "system.slice") : slice, given);
  return normalise(join(join(rootless ? userManager(request) : "/", parent), unit), given);
}

/** `a-b.slice` is in `a.slice`: `/a.slice/a-b.slice` (systemd.slice(5)); `-.slice` is the root. */
function expandSlice(slice: string, given: string): string {
  const stem = slice.endsWith(".slice") ? slice.slice(0, -".slice".length) : "";
  if (stem === "-") return "/";
  const parts = stem.split("-");
  if (stem.includes("/") || parts.includes("")) throw badPath(given, `${slice} is not the name of a slice`);
  return `/${parts.map((_, index) => `${parts.slice(0, index + 1).join("-")}.slice`).join("/")}`;
}

/** The group of the user's own systemd, which gets the tree below it delegated (systemd's user@.service). */
function userManager({ own, layout, uid }: CgroupPathRequest): string {
  const path = layout.version === 2 ? ownPath(layout, own) : (own.controllers["name=systemd"] ?? "/");
  const [manager] = /^.*\/user@\d+\.service(?=\/|$)/.exec(path) ?? [];
  return manager ?? `/user.slice/user-${uid}.slice/user@${uid}.service`;
}

/** Without `.`, empty parts, and a slash at the end; `..` and bytes that no name can hold are refused. */
function normalise(path: string, given: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw badPath(given, "it must be without ..");
  // A newline would break the lines of /proc/PID/cgroup, and the kernel refuses it in names.
  if (/[\0\n]/.test(path)) throw badPath(given, "it must be without newlines and NUL bytes");
  if (parts.some((part) => new TextEncoder().encode(part).length > 255)) {
    throw badPath(given, "a part of it has more than 255 bytes");
  }
  return `/${parts.join("/")}`;
}

export function join(parent: string, path: string): string {
  const below = path === "/" || path.startsWith("/") ? path : `/${path}`;
  if (parent === "/") return below;
  return below === "/" ? parent : parent + below;
}

export function dirname(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0)) || "/";
}

function badPath(given: string, because: string): DevboxError {
  const shown = JSON.stringify(given.length > 200 ? `${given.slice(0, 200)}…` : given);
  return new DevboxError("BAD_CONFIG", { step: `choose the control group: linux.cgroupsPath is ${shown}`, because });
}
