/** OCI "delete" (runtime-spec runtime.md "Lifecycle" steps 11 to 13). */
import { containerStatus, findContainer, noContainer } from "./container.ts";
import { destroyContainer } from "./end.ts";
import { readRecord } from "./record.ts";
import { containerPaths, lockContainer, removeContainerDirectory } from "./state-directory.ts";
import { checkTransition } from "./status.ts";

export interface DeleteRequest {
  readonly root: string;
  readonly id: string;
  /** End it first; that there is none is no error. */
  readonly force: boolean;
  readonly warn: (warning: string) => void;
}

/** @throws DevboxError CONTAINER_NOT_FOUND, CONTAINER_STATE */
export async function deleteContainer({ root, id, force, warn }: DeleteRequest): Promise<void> {
  const paths = containerPaths(root, id);
  using lock = lockContainer(paths);
  if (lock === undefined || (!force && readRecord(paths) === undefined)) {
    if (force) return;
    throw noContainer(id);
  }
  if (readRecord(paths) === undefined) {
    // Its creation was killed before anything of it was there.
    removeContainerDirectory(paths);
    return;
  }
  const container = findContainer(root, id);
  if (!force) checkTransition("delete", id, containerStatus(container));
  await destroyContainer(container, warn);
}
