/** `--explain`: the plans that `run` would execute, as text. The image is made ready, the box is not started. */
import type { Context } from "../core/context.ts";
import { explain } from "../launch/explain.ts";
import { namespaceInput } from "../runtime/begin.ts";
import { planBox } from "../sandbox/plan-create.ts";
import { planNamespaces } from "../sandbox/plan-namespaces.ts";
import { removeBox } from "../store/boxes.ts";
import { beginInput, makeBox, openSurroundings, prepareBundle } from "./prepare.ts";
import type { RunRequest } from "./request.ts";
import { findSource } from "./source.ts";

/** @throws DevboxError of every stage before the launch */
export async function explainRun(context: Context, request: RunRequest): Promise<string> {
  const around = openSurroundings(context);
  const source = await findSource(context, around, request);
  const box = await makeBox(context, around, source, request);
  const { created, network } = box;
  try {
    const begun = beginInput(around, box, request);
    const sandbox = await prepareBundle(around, box, request);
    const namespaces = planNamespaces(namespaceInput(begun));
    const rest = planBox({ ...sandbox, gates: begun.hooks ? { exec: "go" } : {}, pipes: [] });
    return [...explain(namespaces), "", ...explain(rest, namespaces)].join("\n");
  } finally {
    network[Symbol.dispose]();
    removeBox(around.store, created.paths, created.record.name, created.lock);
  }
}
