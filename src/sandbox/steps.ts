/** Small steps that several parts of the plan need. */
import { AT_EMPTY_PATH, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG, STATX_BASIC_STATS } from "../../ffi/constants.ts";
import { EAGAIN } from "../../ffi/errno.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import type { Mark, PlanBuilder } from "../launch/plan.ts";

export interface Slot {
  readonly slot: number;
}

/** Close the descriptor in a slot. */
export function closeSlot(plan: PlanBuilder, slot: Slot): void {
  plan.syscall("close a descriptor", "close", [slot]);
}

export function jumpTo(plan: PlanBuilder, to: Mark): void {
  plan.add({ kind: "jump", to });
}

/** struct statx (statx(2)): where its fields are, and its size. */
export const statField = {
  uid: 20,
  gid: 24,
  mode: 28,
  inode: 32,
  deviceMajor: 128,
  deviceMinor: 132,
  fileSystemMajor: 136,
  fileSystemMinor: 140,
} as const;
export const statSize = 256;

/** Steps that read the status of the file that `file` holds; the structure is what is returned. */
export function readStatus(plan: PlanBuilder, label: string, file: Slot): Data {
  const status = plan.buffer(statSize);
  plan.syscall(label, "statx", [file, plan.string(""), AT_EMPTY_PATH, STATX_BASIC_STATS, status]);
  return status.data;
}

/**
 * Steps that go on only if the 4 bytes at `offset` of `data` are `value`, and at `otherwise` if not. The comparison is one
 * that the kernel makes: FUTEX_CMP_REQUEUE (futex(2)) wakes and moves nobody here, and answers EAGAIN where the word at the
 * address is another one.
 */
export function continueIfEqual(
  plan: PlanBuilder,
  label: string,
  { data, offset, value }: { readonly data: Data; readonly offset: number; readonly value: number | Slot },
  otherwise: Mark,
): void {
  const word = plan.buffer(4);
  plan.scoped(() => {
    const slot = plan.slot();
    plan.add({ kind: "load", slot, from: data, offset, width: 4 });
    plan.add({ kind: "store", slot, into: word.data, offset: 0, width: 4 });
  });
  const operation = FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG;
  plan.syscall(label, "futex", [word, operation, 0, 0, plan.buffer(4), value], {
    tolerate: [EAGAIN],
    onError: otherwise,
  });
}
