/** overlayfs in a user namespace, on the file system of the store: the root of every box. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AT_FDCWD, O_CREAT, O_RDONLY, O_WRONLY } from "../../../ffi/constants.ts";
import { lsetxattr } from "../../../ffi/xattr.ts";
import { describeCause } from "../../core/errors.ts";
import { type Finding, notTried, type Probe, type ProbeInput } from "../finding.ts";
import { openScratch } from "../scratch.ts";
import { type Outcome, openStep, tryInNamespaces } from "../trial.ts";

export const probeOverlay: Probe = async (input) => [
  judgeOverlay(await inScratch(input, tryOverlay)),
  judgeDataOnly(await inScratch(input, tryDataOnly)),
];

type Trial = (input: ProbeInput, directory: string) => Promise<Outcome>;

async function inScratch(input: ProbeInput, trial: Trial): Promise<Outcome> {
  try {
    using scratch = openScratch(input.storeRoot);
    return await trial(input, scratch.path);
  } catch (error) {
    const step = "make directories in the store";
    return { ok: false, step, errnoName: "", why: describeCause(error), isUntried: true };
  }
}

/** Write through it, and delete what lies below: copies up, and makes a whiteout (a device, since 5.8 allowed to us). */
async function tryOverlay({ host }: ProbeInput, directory: string): Promise<Outcome> {
  for (const name of ["lower", "upper", "work", "merged"]) mkdirSync(join(directory, name));
  writeFileSync(join(directory, "lower/old"), "old");
  return await tryInNamespaces("mount an overlay", host, (plan) => {
    // Relative to a directory that is safe to name: the store's path may hold commas and colons.
    plan.syscall(`enter ${directory}`, "chdir", [plan.string(directory)]);
    const options = plan.string("lowerdir=lower,upperdir=upper,workdir=work,userxattr");
    const overlay = plan.string("overlay");
    plan.syscall("mount overlay", "mount", [overlay, plan.string("merged"), overlay, 0, options]);
    openStep(plan, "write a file through the overlay", "merged/new", O_CREAT | O_WRONLY, 0o644);
    openStep(plan, "change a file of the lower layer", "merged/old", O_WRONLY);
    plan.syscall("delete a file of the lower layer", "unlinkat", [AT_FDCWD, plan.string("merged/old"), 0]);
  });
}

/** An empty file whose content lies in a data-only layer (Documentation/filesystems/overlayfs.rst "Data-only lower layers"). */
async function tryDataOnly({ host }: ProbeInput, directory: string): Promise<Outcome> {
  for (const name of ["meta", "data", "merged"]) mkdirSync(join(directory, name));
  writeFileSync(join(directory, "data/content"), "content");
  const file = join(directory, "meta/file");
  writeFileSync(file, "");
  try {
    lsetxattr(file, "user.overlay.metacopy", new Uint8Array());
    lsetxattr(file, "user.overlay.redirect", new TextEncoder().encode("/content"));
  } catch (error) {
    return { ok: false, step: "set user xattrs", errnoName: "", why: describeCause(error) };
  }
  return await tryInNamespaces("mount a data-only overlay", host, (plan) => {
    plan.syscall(`enter ${directory}`, "chdir", [plan.string(directory)]);
    const overlay = plan.string("overlay");
    const options = plan.string("lowerdir=meta::data,userxattr");
    plan.syscall("mount overlay", "mount", [overlay, plan.string("merged"), overlay, 0, options]);
    openStep(plan, "open a file whose content lies in the data-only layer", "merged/file", O_RDONLY);
  });
}

export function judgeOverlay(outcome: Outcome): Finding {
  const name = "overlay";
  if (outcome.ok) return { name, status: "ok", detail: "writable in user namespaces, with whiteouts" };
  if (outcome.isUntried) return notTried(name, `${outcome.step}: ${outcome.why}`);
  const detail = `${outcome.step}: ${outcome.why}`;
  const fixes: Readonly<Record<string, string>> = {
    ENODEV: "sudo modprobe overlay",
    EPERM: "a kernel of at least 5.11",
  };
  const fix = fixes[outcome.errnoName] ?? "put the store on ext4, xfs or btrfs: export DEVBOX_STORE=DIR";
  return { name, status: "fail", detail, fix };
}

export function judgeDataOnly(outcome: Outcome): Finding {
  const name = "data-only overlay";
  if (outcome.ok) return { name, status: "ok", detail: "other id maps need no copy of the data" };
  if (outcome.isUntried) return notTried(name, `${outcome.step}: ${outcome.why}`);
  const detail = `${outcome.step}: ${outcome.why}; layers are copied for boxes that do not run as root`;
  return { name, status: "warn", detail, fix: "a kernel of at least 6.16" };
}
