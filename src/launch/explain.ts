/**
 * A launch plan as text: what `--explain` prints, and what unit tests compare. One line an operation, with the number
 * that an error names; flags in words; blocks of data as the texts that they hold.
 */
import { errnoNameOf } from "../../ffi/errno.ts";
import type { Argument, Data, LaunchPlan, MonitorOp, Op, SyscallOp } from "../../ffi/launcher/wire.ts";
import { argumentWriters, mountAttributes, openFlags, propagation, resolveFlags, writeOctal } from "./words.ts";

/**
 * The lines of a plan: its title, the descriptors it expects, its operations. `= $4` keeps a result, `=> $4` a descriptor in
 * place of the one before, which is closed. `before`: the plan that it continues.
 */
export function explain(plan: LaunchPlan, before?: LaunchPlan): string[] {
  const first = before?.ops.length ?? 0;
  const width = String(first + plan.ops.length).length;
  const descriptors = plan.fds.length === 0 ? [] : [`descriptors: ${plan.fds.join(", ")}`];
  return [
    `plan: ${plan.title}`,
    ...descriptors,
    ...plan.ops.map((op, i) => `${String(first + i).padStart(width)}  ${explainOp(op)}`),
  ];
}

function explainOp(op: Op): string {
  switch (op.kind) {
    case "syscall":
      return explainSyscall(op);
    case "mark":
      return `[${op.name}]`;
    case "jump":
      return `go to [${op.to}]`;
    case "format":
      return `write $${op.slot} in decimal at byte ${op.offset} of ${explainData(op.into)}`;
    case "store":
      return `store $${op.slot} as ${op.width} bytes at byte ${op.offset} of ${explainData(op.into)}`;
    case "load":
      return `$${op.slot} = ${op.width} bytes at byte ${op.offset} of ${explainData(op.from)}`;
    case "report":
      return `report ${op.event} $${op.slot}`;
    case "expectSuccess":
      return `${op.label} must have exited with 0`;
    case "fail":
      return `${op.label}: fail with ${typeof op.errno === "number" ? errnoNameOf(op.errno) : `$${op.errno.slot}`}`;
    case "supervise":
      return `supervise $${op.slot}${op.tied ? ", and end it when devbox ends" : ""}`;
    case "monitor":
      return explainMonitor(op);
    case "init":
      return `be init for $${op.slot}`;
    case "exit":
      return `exit ${op.code}`;
    case "continue":
      return "go on with the next plan";
  }
}

function explainMonitor({ slot, stdout, stderr, terminal, input, resize, log, ended, settings }: MonitorOp): string {
  const { maxLogBytes, maxLogFiles, beat } = settings;
  const descriptors = Object.entries({ stdout, stderr, terminal, input, resize, log, ended })
    .filter(([, value]) => value !== -1)
    .map(([name, value]) => `${name} ${explainArgument(value, String)}`);
  const size = maxLogBytes === 0 ? "" : `; at most ${maxLogFiles} log files of ${maxLogBytes} bytes`;
  const program = beat === undefined ? "" : `; every ${beat.intervalMs} ms ${beat.path} ${JSON.stringify(beat.args)}`;
  return `monitor $${slot}: ${descriptors.join(", ")}${size}${program}`;
}

function explainSyscall(op: SyscallOp): string {
  const writers = argumentWriters[op.call] ?? {};
  const args = op.args.map(
    (value, i) => explainStructure(op.call, i, value) ?? explainArgument(value, writers[i] ?? String),
  );
  const result = op.save === undefined ? "" : ` ${op.replace ? "=>" : "="} $${op.save}`;
  const tolerated = (op.tolerate ?? []).map(errnoNameOf).join(", ");
  const notes = [
    ...(tolerated === "" ? [] : [`tolerates ${tolerated}`]),
    ...(op.onError === undefined ? [] : [`then goes to [${op.onError}]`]),
    ...(op.onZero === undefined ? [] : [`at 0 goes to [${op.onZero}]`]),
  ];
  return [`${op.label}: ${op.call}(${args.join(", ")})${result}`, ...notes].join("; ");
}

function explainArgument(value: Argument, write: (value: number) => string): string {
  if (typeof value === "number") return write(value);
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if ("slot" in value) return `${value.negated ? "-" : ""}$${value.slot}`;
  if ("fd" in value) return `{${value.fd}}`;
  return explainData(value.data);
}

/** A text in quotes, a vector in brackets, else the size. */
function explainData(data: Data): string {
  const { bytes, pointers } = data;
  if (pointers !== undefined) {
    const isVector = pointers.every(({ offset }, i) => offset === i * 8) && bytes.length === (pointers.length + 1) * 8;
    return isVector ? `[${pointers.map(({ to }) => explainData(to)).join(", ")}]` : `<${bytes.length} bytes>`;
  }
  const text = readText(bytes);
  return text === undefined ? `<${bytes.length} bytes>` : JSON.stringify(text);
}

/** Printable UTF-8 that ends with its only NUL, or undefined. */
function readText(bytes: Uint8Array): string | undefined {
  if (bytes.indexOf(0) !== bytes.length - 1 || bytes.length === 0) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, -1));
  } catch {
    return undefined;
  }
}

/** Calls with a structure of numbers: its size, and its words in writing. */
const structures: Readonly<Record<string, { argument: number; words: number; write: (...words: number[]) => string }>> =
  {
    openat2: {
      argument: 2,
      words: 3,
      write: (flags = 0, mode = 0, resolve = 0) =>
        `{${openFlags(flags)}, ${mode === 0 ? "" : `${writeOctal(mode)}, `}${resolveFlags(resolve)}}`,
    },
    mount_setattr: {
      argument: 3,
      words: 4,
      write: (set = 0, clear = 0, change = 0) => {
        const parts = [
          ...(set === 0 ? [] : [`set ${mountAttributes(set)}`]),
          ...(clear === 0 ? [] : [`clear ${mountAttributes(clear)}`]),
          ...(change === 0 ? [] : [propagation(change)]),
        ];
        return `{${parts.join(", ")}}`;
      },
    },
  };

/** The structure of 64-bit words that argument `i` of `call` points to, in braces; undefined if it is none that we know. */
function explainStructure(call: string, i: number, value: Argument): string | undefined {
  const structure = structures[call];
  if (structure?.argument !== i || typeof value !== "object" || !("data" in value)) return undefined;
  const { bytes, pointers } = value.data;
  if (pointers !== undefined || bytes.length !== structure.words * 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const words = Array.from({ length: structure.words }, (_, word) => Number(view.getBigUint64(word * 8, true)));
  return structure.write(...words);
}
