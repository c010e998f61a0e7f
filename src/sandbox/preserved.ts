/** Descriptors of the caller that the command gets, from 3 on (`--preserve-fds`; sd_listen_fds(3)). */
import { F_DUPFD_CLOEXEC, O_CLOEXEC } from "../../ffi/constants.ts";
import { E2BIG, EACCES, ENOENT, ENOEXEC, ENOMEM, ENOTDIR, EPERM, ETXTBSY } from "../../ffi/errno.ts";
import { reportFd } from "../../ffi/launcher/format.ts";
import type { Argument } from "../../ffi/launcher/wire.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { RuntimeProcess } from "../oci/runtime.ts";
import { candidates, execute } from "./exec.ts";

const firstPreserved = 3;

/** Names of the descriptors that are handed over, in order: each has a number above the one that it gets. */
export function preservedNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `preserved-${index}`);
}

/** The errors of execve(2) that a command can be to blame for; more than these an operation cannot tolerate. */
const refusals = [ENOENT, E2BIG, ENOEXEC, ENOMEM, EACCES, EPERM, ENOTDIR, ETXTBSY];

/** The last steps: put the descriptors in their places, and become the command. */
export function executeWith(plan: PlanBuilder, process: RuntimeProcess, count: number): void {
  const end = firstPreserved + count;
  const put = (from: Argument, place: number): void =>
    plan.syscall(`give the command descriptor ${place}`, "dup3", [from, place, 0]);
  const places = preservedNames(count).map((name, index) => ({ from: plan.fd(name), place: firstPreserved + index }));
  const last = places.find(({ place }) => place === reportFd);
  if (last === undefined) {
    for (const { from, place } of places) put(from, place);
    execute(plan, process);
    return;
  }
  // One of them takes the place of the reports: it is put there last, and makes room again for what there is to report.
  const [reports, kept, error] = [plan.slot(), plan.slot(), plan.slot()];
  const label = "keep a descriptor out of the way";
  plan.syscall(label, "fcntl", [reportFd, F_DUPFD_CLOEXEC, end], { save: reports });
  plan.syscall(label, "fcntl", [last.from, F_DUPFD_CLOEXEC, end], { save: kept });
  for (const { from, place } of places) if (place !== reportFd) put(from, place);
  put({ slot: kept }, reportFd);
  const [command = ""] = process.args;
  const [argv, envp] = [plan.vector(process.args), plan.vector(process.env)];
  for (const path of candidates(command, process.env))
    plan.syscall(`execute ${path}`, "execve", [plan.string(path), argv, envp], { save: error, tolerate: refusals });
  plan.syscall("report again", "dup3", [{ slot: reports }, reportFd, O_CLOEXEC]);
  plan.add({ kind: "fail", label: `execute ${command}`, errno: { slot: error } });
}
