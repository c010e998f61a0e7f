/** What doctor finds: one line about one ability of this machine, and how to mend it. */
import type { Context } from "../core/context.ts";
import type { HostFacts } from "../host/facts.ts";

/** fail: no box can run. warn: boxes run, without something. */
export type Status = "ok" | "warn" | "fail";

export type Finding = {
  readonly name: string;
  readonly detail: string;
} & (
  | { readonly status: "ok"; readonly fix?: never }
  /** `fix`: one thing to do, a line to paste where there is one. */
  | { readonly status: Exclude<Status, "ok">; readonly fix: string }
);

/** What probes are given. */
export interface ProbeInput {
  readonly context: Context;
  readonly host: HostFacts;
  /** Directory of the store; it may not exist yet. */
  readonly storeRoot: string;
  /** The text of a file of the system, undefined when it is missing or closed to us: a test can be any machine. */
  readonly readText: (path: string) => string | undefined;
}

/** Tries something, and leaves nothing behind. Probes run side by side and know nothing of each other. */
export type Probe = (input: ProbeInput) => Promise<readonly Finding[]>;

/** A box can run when nothing fails. */
export function canRun(findings: readonly Finding[]): boolean {
  return findings.every(({ status }) => status !== "fail");
}

/** What cannot be found out as long as something else does not work. */
export function notTried(name: string, why: string): Finding {
  return { name, status: "warn", detail: `not tried: ${why}`, fix: "mend first what fails above" };
}

/** A number in a file of /proc/sys. */
export function readNumber({ readText }: Pick<ProbeInput, "readText">, path: string): number | undefined {
  const text = readText(path)?.trim();
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}
