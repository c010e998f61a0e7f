/** `--security-opt`, as docker and podman spell it: text → plain data. */
import { readFileSync } from "node:fs";
import type { SecurityOptions } from "../bundle/options.ts";
import { DevboxError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { decodeExactly } from "../oci/exact-json.ts";
import { badFlag, parseJson } from "./run-values.ts";

/** What the options of `--security-opt` ask for together, and what is accepted without effect. */
export interface SecurityRequest {
  readonly security: SecurityOptions;
  readonly notices: readonly string[];
}

/** Each `KEY`, `KEY=VALUE` or, as docker once wrote it, `KEY:VALUE`. */
export function parseSecurityOptions(texts: readonly string[]): SecurityRequest {
  let security: SecurityOptions = { noNewPrivileges: false, seccomp: "default", unmask: [], mask: [] };
  const notices: string[] = [];
  for (const text of texts) {
    const [, key = "", value] = /^([a-z-]+)(?:[=:](.*))?$/s.exec(text) ?? [];
    const change = securityChange(text, key, value);
    if ("notice" in change) notices.push(change.notice);
    else if ("unmask" in change) security = { ...security, unmask: [...security.unmask, ...change.unmask] };
    else if ("mask" in change) security = { ...security, mask: [...security.mask, ...change.mask] };
    else security = { ...security, ...change };
  }
  return { security, notices };
}

type SecurityChange =
  | Pick<SecurityOptions, "noNewPrivileges">
  | Pick<SecurityOptions, "seccomp">
  | Pick<SecurityOptions, "unmask">
  | Pick<SecurityOptions, "mask">
  | { readonly notice: string }
  /** Nothing: it is so already. */
  | Readonly<Record<never, never>>;

const securityKeys = ["no-new-privileges", "seccomp", "unmask", "mask", "systempaths", "label", "apparmor"];

function securityChange(text: string, key: string, value: string | undefined): SecurityChange {
  switch (key) {
    case "no-new-privileges":
      if (value === undefined || value === "true") return { noNewPrivileges: true };
      if (value === "false") return { noNewPrivileges: false };
      throw badFlag("--security-opt", text, "no-new-privileges is true or false", "no-new-privileges");
    case "seccomp":
      return { seccomp: seccompOf(text, value) };
    case "unmask":
      return { unmask: pathsOf(text, value) };
    case "mask":
      return { mask: pathsOf(text, value) };
    case "systempaths":
      if (value === "unconfined") return { unmask: ["all"] };
      throw badFlag("--security-opt", text, "systempaths can be unconfined only", "systempaths=unconfined");
    case "label":
      // What `disable` asks for is so anyway.
      if (value === "disable") return {};
      return { notice: `--security-opt ${text} has no effect: devbox sets no SELinux labels` };
    case "apparmor":
      if (value === "unconfined") return {};
      throw badFlag("--security-opt", text, "loading an AppArmor profile needs root", "apparmor=unconfined");
    default: {
      const guess = nearest(key || text, securityKeys);
      throw badFlag("--security-opt", text, `there are ${securityKeys.join(", ")}`, guess ?? "no-new-privileges");
    }
  }
}

function seccompOf(text: string, value: string | undefined): SecurityOptions["seccomp"] {
  if (value === undefined || value === "") {
    throw badFlag("--security-opt", text, "seccomp is unconfined or a file", "seccomp=profile.json");
  }
  if (value === "unconfined" || value === "default") return value;
  const step = `read the seccomp profile ${value}`;
  let content: string;
  try {
    content = readFileSync(value, "utf8");
  } catch (cause) {
    throw new DevboxError("USAGE", { step, cause, hint: "give a file, or seccomp=unconfined" });
  }
  const profile = parseJson(content, (cause) => new DevboxError("BAD_CONFIG", { step, cause }), decodeExactly);
  return { profile };
}

/** podman's form: paths separated by colons, or ALL. */
function pathsOf(text: string, value: string | undefined): readonly string[] {
  if (value?.toLowerCase() === "all") return ["all"];
  const paths = (value ?? "").split(":");
  if (!paths.every((path) => path.startsWith("/"))) {
    throw badFlag("--security-opt", text, "it names no absolute paths", "unmask=/proc/kcore:/sys/firmware");
  }
  return paths;
}
