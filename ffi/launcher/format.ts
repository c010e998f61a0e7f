/** What encode.ts, report.ts and plan.h agree on: the numbers of the byte format, and the launcher's descriptors. */
import type { ReportEvent } from "./wire.ts";

/** The numbers of the byte format; plan.h has the same between its BEGIN and END lines. */
export const wire = {
  MAGIC: 0x4c785644,
  VERSION: 3,
  MAX_PLAN_BYTES: 0x1000000,
  HEADER_BYTES: 40,
  OP_BYTES: 96,
  RELOCATION_BYTES: 8,
  REPORT_BYTES: 16,
  MONITOR_BYTES: 88,
  MAX_SLOTS: 128,
  MAX_ARGS: 6,
  MAX_TOLERATED: 8,
  NONE: 0xffff,
  OP_SYSCALL: 0,
  OP_JUMP: 1,
  OP_FORMAT: 2,
  OP_STORE: 3,
  OP_LOAD: 4,
  OP_REPORT: 5,
  OP_EXPECT_SUCCESS: 6,
  OP_FAIL: 7,
  OP_SUPERVISE: 8,
  OP_INIT: 9,
  OP_EXIT: 10,
  OP_CONTINUE: 11,
  OP_MONITOR: 12,
  ARG_IMMEDIATE: 0,
  ARG_DATA: 1,
  ARG_SLOT: 2,
  ARG_NEGATED_SLOT: 3,
  FLAG_NO_RETRY: 1,
  FLAG_REPLACE: 2,
  FLAG_TIED: 1,
  REPORT_EVENT: 0,
  REPORT_FAILED: 1,
  EVENT_STARTED: 0,
  EVENT_READY: 1,
  EVENT_EXITED: 2,
  BAD_PLAN: 0xffffffff,
} as const;

/** Descriptors of the launcher: 3 the pipe that plans come through, 4 the report pipe, then those that the plan names. */
export const planFd = 3;
export const reportFd = 4;
export const firstNamedFd = 5;

/** The index of an event is its number. */
export const events: readonly ReportEvent[] = ["started", "ready", "exited"];
