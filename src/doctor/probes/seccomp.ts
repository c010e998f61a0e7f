/** Filters of system calls (seccomp(2)): every box runs under one. */
import { PR_SET_NO_NEW_PRIVS, SECCOMP_SET_MODE_FILTER } from "../../../ffi/constants.ts";
import { beginPlan } from "../../launch/plan.ts";
import type { Finding, Probe } from "../finding.ts";
import { type Outcome, tryPlan } from "../trial.ts";

/** A filter of one instruction, BPF_RET | BPF_K with SECCOMP_RET_ALLOW, as struct sock_filter. */
const allowAll = new Uint8Array([0x06, 0, 0, 0, 0, 0, 0xff, 0x7f]);

export const probeSeccomp: Probe = async () => {
  const plan = beginPlan("install a filter");
  // struct sock_fprog: the number of instructions (2 bytes), padding, their address.
  const header = new Uint8Array(16);
  header[0] = 1;
  const program = plan.struct(header, { 8: plan.bytes(allowAll) });
  plan.syscall("set no_new_privs", "prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
  plan.syscall("install a filter", "seccomp", [SECCOMP_SET_MODE_FILTER, 0, program]);
  plan.add({ kind: "exit", code: 0 });
  return [judgeSeccomp(await tryPlan(plan.finish()))];
};

export function judgeSeccomp(outcome: Outcome): Finding {
  const name = "seccomp";
  if (outcome.ok) return { name, status: "ok", detail: "filters can be installed" };
  const detail = `${outcome.step}: ${outcome.why}`;
  return { name, status: "fail", detail, fix: "a kernel with CONFIG_SECCOMP_FILTER" };
}
