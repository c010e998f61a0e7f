/** crun's annotations that send what hooks print to files; podman's users know them. */
import type { State } from "./runtime.ts";

export type HookStream = "stdout" | "stderr";

/** The file that what hooks print on the stream is appended to; undefined: none is asked for. */
export function hookOutput({ annotations = {} }: Pick<State, "annotations">, stream: HookStream): string | undefined {
  const path = annotations[`run.oci.hooks.${stream}`];
  return path === undefined || path === "" || path.includes("\0") ? undefined : path;
}
