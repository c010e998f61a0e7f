/** Requests to the kernel about network devices (rtnetlink(7)), as steps: a message, its answer, and what that means. */
import { AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW } from "../../ffi/constants.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import { continueIfEqual, jumpTo, type Slot } from "./steps.ts";

export const RTM_NEWLINK = 16;
export const RTM_NEWADDR = 20;

// netlink(7)
const NETLINK_ROUTE = 0;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const headerBytes = 16;

// netdevice(7)
const SIOCGIFINDEX = 0x8933;
const ifreqBytes = 40;
const ifreqIndex = 16;

export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array;
}

export interface NetlinkMessage {
  readonly data: Data;
  /** Where in `data` the family's own structure begins, and each attribute's value. */
  readonly body: number;
  readonly values: readonly number[];
}

/** A request that wants an answer: struct nlmsghdr, the structure of its family, attributes (struct rtattr). */
export function netlinkMessage(type: number, body: Uint8Array, attributes: readonly Attribute[]): NetlinkMessage {
  const values: number[] = [];
  let length = headerBytes + aligned(body.length);
  for (const { value } of attributes) {
    values.push(length + 4);
    length += 4 + aligned(value.length);
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK, true);
  bytes.set(body, headerBytes);
  attributes.forEach((attribute, i) => {
    const at = values[i] ?? 0;
    view.setUint16(at - 4, 4 + attribute.value.length, true);
    view.setUint16(at - 2, attribute.type, true);
    bytes.set(attribute.value, at);
  });
  return { data: { bytes }, body: headerBytes, values };
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** Steps that open a socket for requests into a slot. */
export function openNetlink(plan: PlanBuilder, slot: number): void {
  const label = "open a socket for network devices";
  plan.syscall(label, "socket", [AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE], { save: slot });
}

/** Steps that look up the index of the device `name` where the process is, into a slot. */
export function findDevice(plan: PlanBuilder, socket: Slot, name: string, index: number): void {
  const request = plan.buffer(ifreqBytes);
  request.data.bytes.set(new TextEncoder().encode(name));
  plan.syscall(`find the network device ${name}`, "ioctl", [socket, SIOCGIFINDEX, request]);
  plan.add({ kind: "load", slot: index, from: request.data, offset: ifreqIndex, width: 4 });
}

/** Steps that send a message, and fail with the errno of the answer (struct nlmsgerr), which is 0 when it was done. */
export function request(plan: PlanBuilder, label: string, socket: Slot, { data }: NetlinkMessage): void {
  const answer = plan.buffer(64);
  const [done, refused] = [plan.mark("done"), plan.mark("refused")];
  plan.syscall(label, "write", [socket, { data }, data.bytes.length]);
  plan.syscall(label, "read", [socket, answer, answer.data.bytes.length]);
  continueIfEqual(plan, label, { data: answer.data, offset: headerBytes, value: 0 }, refused);
  jumpTo(plan, done);
  plan.here(refused);
  const error = plan.slot();
  plan.add({ kind: "load", slot: error, from: answer.data, offset: headerBytes, width: 4 });
  plan.add({ kind: "fail", label, errno: { slot: error } });
  plan.here(done);
}
