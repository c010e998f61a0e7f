import { expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { readBoxRecord, writeBoxRecord } from "../../../src/store/box-record.ts";
import { boxState, endedPath, healthPath, isWatched, readBoxEnd } from "../../../src/store/box-state.ts";
import { createBox, leaveBox, sweepBoxes } from "../../../src/store/boxes.ts";
import { boxEvent, eventsPath, parseEvent, recordEvent } from "../../../src/store/events.ts";
import type { BoxRecord } from "../../../src/store/types.ts";
import { type TemporaryStore, temporaryStore } from "../../helpers/temporary-store.ts";

const make = ({ context, store }: TemporaryStore, ephemeral = false) =>
  createBox(context, store, {
    name: "box",
    image: "debian:12",
    chainIds: [],
    created: "2026-01-01T00:00:00Z",
    command: [],
    labels: {},
    ephemeral,
  });

/** As the monitor writes it. */
function endRecord(waitStatus: number, milliseconds: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, waitStatus, true);
  view.setBigInt64(8, BigInt(milliseconds) * 1_000_000n, true);
  return bytes;
}

const time = Date.parse("2026-01-02T03:04:05.678Z");
const running = { status: "running", pid: 2 ** 22, startTime: 1, bootId: "other" } as const;

test("every field of a record comes back as it was, and a record of before is read", async () => {
  using temporary = temporaryStore();
  const { paths, record } = await make(temporary);
  const full: BoxRecord = {
    ...record,
    ...running,
    monitorPid: 5,
    monitorStartTime: 6,
    startedAt: "2026-01-01T00:00:00Z",
    finishedAt: "2026-01-01T00:00:01Z",
    exitCode: 3,
    error: "why",
    oomKilled: true,
    restartCount: 2,
    restartDelayMs: 400,
    stopped: true,
    volumes: ["data"],
    ports: [{ hostIp: "127.0.0.1", hostPort: 80, containerPort: 8080, protocol: "udp" }],
  };
  writeBoxRecord(paths, full);
  expect(readBoxRecord(paths)).toEqual(full);
  const { status: _, ...rest } = record;
  writeFileSync(paths.state, JSON.stringify({ ...rest, status: "running", pid: 1 }));
  expect(readBoxRecord(paths)).toEqual({ ...rest, status: "running", pid: 1 });
  writeFileSync(paths.state, JSON.stringify({ ...rest, status: "dancing" }));
  expect(() => readBoxRecord(paths)).toThrow("status");
});

test("the end of a box: exit status or signal, and when", async () => {
  using temporary = temporaryStore();
  const { paths } = await make(temporary);
  expect(readBoxEnd(paths)).toBeUndefined();
  writeFileSync(endedPath(paths), "");
  expect(readBoxEnd(paths)).toBeUndefined();
  writeFileSync(endedPath(paths), endRecord(7 << 8, time));
  expect(readBoxEnd(paths)).toEqual({ exitCode: 7, finishedAt: "2026-01-02T03:04:05.678Z" });
  writeFileSync(endedPath(paths), endRecord(9, time));
  expect(readBoxEnd(paths)?.exitCode).toBe(137);
  // With a core dump.
  writeFileSync(endedPath(paths), endRecord(0x8b, time));
  expect(readBoxEnd(paths)?.exitCode).toBe(139);
});

test("a box whose lock is free has ended, as its monitor saw or 137; its record stays as it is", async () => {
  using temporary = temporaryStore();
  const box = await make(temporary);
  const record: BoxRecord = { ...box.record, ...running };
  writeBoxRecord(box.paths, record);
  expect(isWatched(box.paths)).toBe(true);
  expect(boxState(temporary.store, record)).toEqual(record);
  const health = { status: "healthy", failingStreak: 0, log: [] } as const;
  writeFileSync(healthPath(box.paths), JSON.stringify(health));
  expect(boxState(temporary.store, record).health).toEqual(health);
  leaveBox(box);
  expect(isWatched(box.paths)).toBe(false);
  expect(boxState(temporary.store, record)).toMatchObject({ status: "exited", exitCode: 137 });
  writeFileSync(endedPath(box.paths), endRecord(4 << 8, time));
  const state = boxState(temporary.store, record);
  expect(state).toMatchObject({ status: "exited", exitCode: 4, finishedAt: "2026-01-02T03:04:05.678Z" });
  expect(state.pid).toBeUndefined();
  expect(readBoxRecord(box.paths)).toEqual(record);
});

test("the sweep writes down how a box ended whose monitor could not, and tells it", async () => {
  using temporary = temporaryStore();
  const { store } = temporary;
  const box = await make(temporary);
  writeBoxRecord(box.paths, { ...box.record, ...running });
  writeFileSync(endedPath(box.paths), endRecord(4 << 8, time));
  // Killed: its descriptors are closed, its files stay.
  box.lock[Symbol.dispose]();
  const ended: string[] = [];
  expect(sweepBoxes(store, ({ id }) => void ended.push(id))).toEqual([box.paths.id]);
  expect(ended).toEqual([box.paths.id]);
  expect(readBoxRecord(box.paths)).toMatchObject({ status: "exited", exitCode: 4 });
  expect(readFileSync(eventsPath(store), "utf8")).toContain('"exitCode":"4"');
  expect(sweepBoxes(store)).toEqual([]);
});

test("a box that was only made stays so", async () => {
  using temporary = temporaryStore();
  const box = await make(temporary);
  box.lock[Symbol.dispose]();
  sweepBoxes(temporary.store);
  expect(readBoxRecord(box.paths)?.status).toBe("created");
});

test("events are lines; a file of a megabyte makes room for another", async () => {
  using temporary = temporaryStore();
  const { store } = temporary;
  const { record } = await make(temporary);
  const long = { text: "x".repeat(200_000) };
  for (let count = 0; count < 6; count++) recordEvent(store, boxEvent("kill", record, long));
  recordEvent(store, boxEvent("create", record), boxEvent("start", record));
  const lines = readFileSync(eventsPath(store), "utf8").trim().split("\n");
  expect(lines.map((line) => JSON.parse(line).action)).toEqual(["create", "start"]);
  expect(statSync(`${eventsPath(store)}.1`).size).toBeGreaterThan(1024 * 1024);
});

test("a line that a full disk has cut off is no event", () => {
  const event = boxEvent("die", { id: "i", name: "n", image: "m" }, { exitCode: "3" });
  const line = JSON.stringify(event);
  expect([line, line.slice(0, -1), line.slice(0, 9), ""].map(parseEvent)).toEqual([
    event,
    undefined,
    undefined,
    undefined,
  ]);
});
