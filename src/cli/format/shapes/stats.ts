/** The fields of what a box uses (docker/cli, formatter stats). */
import { type BoxUsage, cpuPercent } from "../../../box/stats.ts";
import type { BoxRecord } from "../../../store/types.ts";
import { binarySize, decimalSize } from "../docker-words.ts";
import type { ListShape } from "../list.ts";

export interface StatsRow {
  readonly record: BoxRecord;
  /** As the user named it. */
  readonly name: string;
  /** undefined: it does not run. */
  readonly usage: BoxUsage | undefined;
  /** A moment before. */
  readonly before: BoxUsage | undefined;
}

export function statsShape(full: boolean): ListShape<StatsRow> {
  const id = ({ record }: StatsRow): string => (full ? record.id : record.id.slice(0, 12));
  return {
    fields: {
      Container: { title: "CONTAINER", value: ({ name }) => name },
      Name: { title: "NAME", value: ({ record }) => record.name },
      ID: { title: "CONTAINER ID", value: id },
      CPUPerc: {
        title: "CPU %",
        value: ({ usage, before }) => shown(usage, (now) => percent(cpuPercent(before, now))),
      },
      MemUsage: {
        title: "MEM USAGE / LIMIT",
        value: ({ usage }) => pair(usage, binarySize, (now) => [now.memory, now.memoryLimit]),
      },
      MemPerc: {
        title: "MEM %",
        value: ({ usage }) =>
          shown(usage, ({ memory, memoryLimit }) => percent(memoryLimit === 0 ? 0 : (memory / memoryLimit) * 100)),
      },
      NetIO: { title: "NET I/O", value: ({ usage }) => pair(usage, decimalSize, (now) => [now.received, now.sent]) },
      BlockIO: { title: "BLOCK I/O", value: ({ usage }) => pair(usage, decimalSize, (now) => [now.read, now.written]) },
      PIDs: { title: "PIDS", value: ({ usage }) => shown(usage, ({ processes }) => String(processes)) },
    },
    table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
  };
}

function shown(usage: BoxUsage | undefined, text: (usage: BoxUsage) => string): string {
  return usage === undefined ? "--" : text(usage);
}

function pair(
  usage: BoxUsage | undefined,
  format: (bytes: number) => string,
  numbers: (usage: BoxUsage) => readonly [number, number],
): string {
  return usage === undefined
    ? "-- / --"
    : numbers(usage)
        .map((number) => format(number))
        .join(" / ");
}

function percent(value: number): string {
  return `${value.toFixed(2)}%`;
}
